#include "camera/v4l2_convert.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include <libv4lconvert.h>

struct converter {
	struct v4lconvert_data *data;
	struct v4l2_format source, target;
};

/*
 * What libv4lconvert 1.22 converts and Fanlight does not read. The library has no call that would
 * tell, and to try is not safe. Left out: HSV, which it writes beyond its target (seen with
 * valgrind), and OV511 and OV518, for which it starts a program.
 */
static const uint32_t convertible[] = {
	/* Bayer */
	V4L2_PIX_FMT_SBGGR8,
	V4L2_PIX_FMT_SGBRG8,
	V4L2_PIX_FMT_SGRBG8,
	V4L2_PIX_FMT_SRGGB8,
	V4L2_PIX_FMT_SBGGR10,
	V4L2_PIX_FMT_SGBRG10,
	V4L2_PIX_FMT_SGRBG10,
	V4L2_PIX_FMT_SRGGB10,
	V4L2_PIX_FMT_SBGGR10P,
	V4L2_PIX_FMT_SGBRG10P,
	V4L2_PIX_FMT_SGRBG10P,
	V4L2_PIX_FMT_SRGGB10P,
	V4L2_PIX_FMT_SBGGR16,
	V4L2_PIX_FMT_SGBRG16,
	V4L2_PIX_FMT_SGRBG16,
	V4L2_PIX_FMT_SRGGB16,
	/* RGB, and grey of other depths */
	V4L2_PIX_FMT_RGB565,
	V4L2_PIX_FMT_RGB32,
	V4L2_PIX_FMT_BGR32,
	V4L2_PIX_FMT_ARGB32,
	V4L2_PIX_FMT_Y4,
	V4L2_PIX_FMT_Y6,
	V4L2_PIX_FMT_Y10BPACK,
	V4L2_PIX_FMT_Y16_BE,
	/* vendors' own */
	V4L2_PIX_FMT_SPCA501,
	V4L2_PIX_FMT_SPCA505,
	V4L2_PIX_FMT_SPCA508,
	V4L2_PIX_FMT_SPCA561,
	V4L2_PIX_FMT_CIT_YYVYUY,
	V4L2_PIX_FMT_KONICA420,
	V4L2_PIX_FMT_SN9C20X_I420,
	V4L2_PIX_FMT_M420,
	V4L2_PIX_FMT_CPIA1,
	V4L2_PIX_FMT_PJPG,
	V4L2_PIX_FMT_JPGL,
	V4L2_PIX_FMT_STV0680,
	V4L2_PIX_FMT_SN9C10X,
	V4L2_PIX_FMT_SN9C2028,
	V4L2_PIX_FMT_PAC207,
	V4L2_PIX_FMT_MR97310A,
	V4L2_PIX_FMT_JL2005BCD,
	V4L2_PIX_FMT_SQ905C,
	V4L2_PIX_FMT_SE401,
};

bool converter_knows(uint32_t fourcc)
{
	for (size_t i = 0; i < sizeof convertible / sizeof convertible[0]; i++)
		if (convertible[i] == fourcc)
			return true;
	return false;
}

ON_CAPTURE static void describe(struct converter *converter, const struct v4l2_picture *picture)
{
	struct v4l2_pix_format *target = &converter->target.fmt.pix;

	/* Single-planar, whichever API the device speaks: it is one buffer in both. */
	converter->source = (struct v4l2_format){.type = V4L2_BUF_TYPE_VIDEO_CAPTURE};
	converter->source.fmt.pix = (struct v4l2_pix_format){
		.width = picture->width,
		.height = picture->height,
		.pixelformat = picture->fourcc,
		.bytesperline = picture->stride_bytes[0],
		.sizeimage = picture->size_bytes[0],
	};
	converter->target = converter->source;
	target->pixelformat = CONVERTER_FOURCC;
	target->bytesperline = target->width;
	target->sizeimage = target->width * target->height +
			    2 * ((target->width + 1) / 2 * ((target->height + 1) / 2));
}

/* Its scratch memory is allocated by the first picture: let that be a black one, before any. */
ON_CAPTURE static int convert_black(struct converter *converter)
{
	size_t source_bytes = converter->source.fmt.pix.sizeimage;
	uint8_t *source = calloc(1, source_bytes), *target = malloc(converter_bytes(converter));
	int err = -ENOMEM;

	if (source && target)
		err = converter_convert(converter, source, source_bytes, target);
	free(source);
	free(target);
	return err;
}

int converter_create(
	int device_fd, const struct v4l2_picture *picture, struct converter **ret_converter)
{
	struct converter *converter;
	int err = 0;

	/* The library counts in int. */
	if (picture->n_buffers != 1 || !picture->size_bytes[0] ||
		picture->size_bytes[0] > INT_MAX ||
		(uint64_t)picture->width * picture->height > INT_MAX / 2)
		return -EINVAL;
	converter = calloc(1, sizeof *converter);
	if (!converter)
		return -ENOMEM;
	describe(converter, picture);
	converter->data = v4lconvert_create(device_fd);
	if (!converter->data)
		err = -ENOMEM;
	else if (picture->stride_bytes[0]) /* zeros are no compressed picture */
		err = convert_black(converter);
	if (err < 0) {
		converter_destroy(converter);
		return err == -EBADMSG ? -EINVAL : err;
	}
	*ret_converter = converter;
	return 0;
}

void converter_destroy(struct converter *converter)
{
	if (!converter)
		return;
	v4lconvert_destroy(converter->data); /* takes NULL */
	free(converter);
}

size_t converter_bytes(const struct converter *converter)
{
	return converter->target.fmt.pix.sizeimage;
}

int converter_convert(
	struct converter *converter, uint8_t *source, size_t source_bytes, uint8_t *target)
{
	int written = v4lconvert_convert(converter->data, &converter->source, &converter->target,
		source, (int)source_bytes, target, (int)converter_bytes(converter));

	return written < 0 ? -EBADMSG : 0;
}
