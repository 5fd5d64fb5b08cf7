/* Whatever a server sends: no crash, and the same pictures however the bytes were cut. */
#include "must.h"

#include "probe/multipart.h"
#include "probe/records.h"
#include "probe/stamps.h"

struct found {
	uint64_t pictures, bytes, captured_ns;
};

static void note(struct found *found, const struct picture *picture)
{
	uint64_t stamp_ns;

	must(picture->bytes <= PICTURE_BYTES_MOST);
	must(!picture->captured_ns || picture->source != TIME_UNKNOWN);
	found->pictures++;
	found->bytes += picture->bytes;
	found->captured_ns += picture->captured_ns;
	(void)stamps_decode(picture->data, picture->bytes, &stamp_ns); /* reads all that it may */
}

static struct found read_multipart(const uint8_t *data, size_t size, size_t step)
{
	struct multipart multipart;
	struct found found = {0};
	int more = 0;

	must(!multipart_init(&multipart, "multipart/x-mixed-replace;boundary=b"));
	for (size_t i = 0; i < size && more >= 0; i += step) {
		struct picture picture;

		step = step < size - i ? step : size - i;
		must(!multipart_add(&multipart, data + i, step));
		while ((more = multipart_next(&multipart, &picture)) > 0)
			note(&found, &picture);
	}
	multipart_finish(&multipart);
	return found;
}

static struct found read_records(const uint8_t *data, size_t size, size_t step)
{
	struct records records = {0};
	struct found found = {0};
	int more = 0;

	for (size_t i = 0; i < size && more >= 0; i += step) {
		struct picture picture;

		step = step < size - i ? step : size - i;
		must(!records_add(&records, data + i, step));
		while ((more = records_next(&records, &picture)) > 0)
			note(&found, &picture);
	}
	records_finish(&records);
	return found;
}

static void must_be_equal(struct found a, struct found b)
{
	must(a.pictures == b.pictures && a.bytes == b.bytes && a.captured_ns == b.captured_ns);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	must_be_equal(read_multipart(data, size, size), read_multipart(data, size, 3));
	must_be_equal(read_records(data, size, size), read_records(data, size, 5));
	return 0;
}
