/* Whatever lies in a file: no crash, and every picture lies within it, from its SOI to its EOI. */
#include "must.h"

#include <linux/videodev2.h>

#include "camera/pictures.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pictures p = {.fourcc = 0};

	(void)pictures_parse(
		&p, data, size); /* what was found before an error is there all the same */
	for (size_t i = 0; i < p.n_pictures; i++) {
		const struct picture *picture = &p.pictures[i];

		must(picture->data >= data &&
			picture->bytes <= size - (size_t)(picture->data - data));
		must(picture->width && picture->height);
		for (size_t k = 0; k < FRAME_MAX_PLANES; k++)
			must(p.offset_bytes[k] < picture->bytes);
		if (p.fourcc == V4L2_PIX_FMT_MJPEG)
			must(!memcmp(picture->data, "\xff\xd8\xff", 3) &&
				!memcmp(picture->data + picture->bytes - 2, "\xff\xd9", 2));
	}
	pictures_close(&p);
	return 0;
}
