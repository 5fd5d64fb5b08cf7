/*
 * The headers are read where they lie; from the first scan on the bytes are copied, and only then
 * looked at, because a camera's memory may be uncached and slow to read twice. Entropy-coded data
 * is not decoded, only searched for markers.
 *
 * A picture without EOI is the exception: some cameras never send one, and a lost transfer cuts it
 * off too. There libjpeg decodes what is left, at an eighth of the size, to learn how far it goes.
 */
#include "encode/passthrough.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>

#include "base/jpeg_errors.h"
#include "encode/standard_dht.h"

/* Rubbish before SOI that is worth searching. */
#define PREFIX_BYTES_MOST 4096

#define COMPONENTS_MOST 3
#define TABLES_MOST     4

enum marker {
	SOF0 = 0xc0, /* baseline */
	SOF1 = 0xc1, /* extended sequential */
	SOF2 = 0xc2, /* progressive */
	DHT = 0xc4,
	RST0 = 0xd0,
	RST7 = 0xd7,
	SOI = 0xd8,
	EOI = 0xd9,
	SOS = 0xda,
	DQT = 0xdb,
	DNL = 0xdc,
	DRI = 0xdd,
	APP0 = 0xe0,
	APP15 = 0xef,
	COM = 0xfe,
};

struct component {
	uint8_t id, h, v, dqt;
};

/* What the headers said so far. Sets of tables are bit masks. */
struct picture {
	enum marker sof; /* 0 before it */
	uint32_t width, height;
	unsigned n_components;
	struct component components[COMPONENTS_MOST];
	unsigned h_most, v_most;
	unsigned dqt, dc_tables, ac_tables;
	uint32_t restart_interval; /* MCUs; 0 for none */

	bool lacks_tables; /* has a sequential scan without any DHT before it */
	size_t scan_start; /* of the latest SOS */
	bool scan_has_all; /* components, interleaved or only one */
	unsigned scanned;  /* components that a scan has brought */
};

/* ---- segments ---- */

ANY_THREAD static unsigned be16(const uint8_t *bytes)
{
	return (unsigned)bytes[0] << 8 | bytes[1];
}

ON_ENCODE static bool read_sof(struct picture *picture, const uint8_t *body, size_t length)
{
	if (picture->sof || length < 6 || body[0] != 8)
		return false;
	picture->height = be16(body + 1);
	picture->width = be16(body + 3);
	picture->n_components = body[5];
	if (!picture->width || picture->width > JPEG_MAX_DIMENSION || !picture->height ||
		picture->height > JPEG_MAX_DIMENSION ||
		(picture->n_components != 1 && picture->n_components != 3) ||
		length != 6 + 3 * picture->n_components)
		return false;

	for (unsigned i = 0; i < picture->n_components; i++) {
		const uint8_t *spec = body + 6 + 3 * i;
		struct component *c = &picture->components[i];

		*c = (struct component){spec[0], spec[1] >> 4, spec[1] & 15, spec[2]};
		if (!c->h || c->h > 4 || !c->v || c->v > 4 || c->dqt >= TABLES_MOST)
			return false;
		picture->h_most = c->h > picture->h_most ? c->h : picture->h_most;
		picture->v_most = c->v > picture->v_most ? c->v : picture->v_most;
	}
	/* Decoders do not do fractions. */
	for (unsigned i = 0; i < picture->n_components; i++)
		if (picture->h_most % picture->components[i].h ||
			picture->v_most % picture->components[i].v)
			return false;
	return true;
}

ON_ENCODE static bool read_dqt(struct picture *picture, const uint8_t *body, size_t length)
{
	while (length) {
		size_t table_bytes = 1 + (body[0] >> 4 ? 128 : 64);

		if (body[0] >> 4 > 1 || (body[0] & 15) >= TABLES_MOST || length < table_bytes)
			return false;
		picture->dqt |= 1u << (body[0] & 15);
		body += table_bytes;
		length -= table_bytes;
	}
	return true;
}

/* Whether the counts of codes of each length make a prefix code without an all-ones code. */
ON_ENCODE static bool is_prefix_code(const uint8_t counts[16])
{
	unsigned code = 0;

	for (unsigned bits = 1; bits <= 16; bits++) {
		code += counts[bits - 1];
		if (counts[bits - 1] && code >= 1u << bits)
			return false;
		code <<= 1;
	}
	return true;
}

ON_ENCODE static bool read_dht(struct picture *picture, const uint8_t *body, size_t length)
{
	while (length) {
		bool ac = body[0] >> 4;
		size_t symbols = 0;

		if (body[0] >> 4 > 1 || (body[0] & 15) >= TABLES_MOST || length < 17)
			return false;
		for (int i = 1; i <= 16; i++)
			symbols += body[i];
		if (symbols > 256 || length < 17 + symbols || !is_prefix_code(body + 1))
			return false;
		/* A difference of DC values has at most 15 bits. */
		for (size_t i = 0; !ac && i < symbols; i++)
			if (body[17 + i] > 15)
				return false;
		*(ac ? &picture->ac_tables : &picture->dc_tables) |= 1u << (body[0] & 15);
		body += 17 + symbols;
		length -= 17 + symbols;
	}
	return true;
}

ON_ENCODE static bool read_dri(struct picture *picture, const uint8_t *body, size_t length)
{
	if (length != 2)
		return false;
	picture->restart_interval = be16(body);
	return true;
}

/* The parameters of a progressive scan: spectral selection and successive approximation. */
ON_ENCODE static bool is_progressive_scan(const uint8_t parameters[3], unsigned n_components)
{
	unsigned first = parameters[0], last = parameters[1];
	unsigned high = parameters[2] >> 4, low = parameters[2] & 15;

	if (first ? last < first || last > 63 || n_components != 1 : last)
		return false;
	return low <= 13 && (!high || low == high - 1);
}

/* Whether the Huffman tables that a component of a scan needs are there. */
ON_ENCODE static bool has_tables(
	const struct picture *picture, uint8_t selectors, const uint8_t parameters[3])
{
	bool progressive = picture->sof == SOF2;
	bool needs_dc = !progressive || (!parameters[0] && !(parameters[2] >> 4));
	bool needs_ac = !progressive || parameters[0];

	return (!needs_dc || picture->dc_tables >> (selectors >> 4) & 1) &&
	       (!needs_ac || picture->ac_tables >> (selectors & 15) & 1);
}

ON_ENCODE static bool read_sos(struct picture *picture, const uint8_t *body, size_t length)
{
	unsigned n = length ? body[0] : 0, in_scan = 0, blocks = 0;
	const uint8_t *parameters;

	if (!picture->sof || !n || n > picture->n_components || length != 4 + 2 * n)
		return false;
	parameters = body + 1 + 2 * n;
	if (picture->sof == SOF2 && !is_progressive_scan(parameters, n))
		return false;
	if (picture->sof != SOF2 && !picture->dc_tables && !picture->ac_tables) {
		picture->lacks_tables = true;
		picture->dc_tables = picture->ac_tables = 1 << 0 | 1 << 1;
	}

	/* Components stand in the frame's order, each once. */
	for (unsigned i = 0, c = 0; i < n; i++, c++) {
		const uint8_t *spec = body + 1 + 2 * i;
		const struct component *component = picture->components;

		while (c < picture->n_components && component[c].id != spec[0])
			c++;
		if (c >= picture->n_components || !(picture->dqt >> component[c].dqt & 1) ||
			!has_tables(picture, spec[1], parameters))
			return false;
		in_scan |= 1u << c;
		blocks += component[c].h * component[c].v;
	}
	/* A sequential picture has each component once. */
	if (picture->sof != SOF2 && picture->scanned & in_scan)
		return false;
	picture->scanned |= in_scan;
	picture->scan_has_all = n == picture->n_components;
	return n == 1 || blocks <= C_MAX_BLOCKS_IN_MCU;
}

ON_ENCODE static bool read_segment(
	struct picture *picture, unsigned marker, const uint8_t *body, size_t length)
{
	switch (marker) {
	case SOF0:
	case SOF1:
	case SOF2:
		if (!read_sof(picture, body, length))
			return false;
		picture->sof = marker;
		return true;
	case DHT:
		return read_dht(picture, body, length);
	case DQT:
		return read_dqt(picture, body, length);
	case DRI:
		return read_dri(picture, body, length);
	case SOS:
		return read_sos(picture, body, length);
	case DNL:
	case COM:
		return true;
	default:
		/* Other kinds of SOF, reserved markers, those without a segment: no decoder's. */
		return marker >= APP0 && marker <= APP15;
	}
}

/*
 * Read segments from *at up to and with the next SOS or EOI, and return which it was; *at is then
 * behind it. Returns -EBADMSG when something else is there, or too little.
 */
ON_ENCODE static int read_segments(
	struct picture *picture, const uint8_t *bytes, size_t length, size_t *at)
{
	for (;;) {
		size_t start = *at, segment;
		unsigned marker;

		while (*at < length && bytes[*at] == 0xff)
			(*at)++;
		if (*at == start || *at == length)
			return -EBADMSG;
		marker = bytes[(*at)++];
		if (marker == EOI)
			return EOI;
		if (length - *at < 2)
			return -EBADMSG;
		segment = be16(bytes + *at);
		if (segment < 2 || segment > length - *at ||
			!read_segment(picture, marker, bytes + *at + 2, segment - 2))
			return -EBADMSG;
		*at += segment;
		if (marker == SOS) {
			picture->scan_start = start;
			return SOS;
		}
	}
}

/* ---- entropy-coded data ---- */

/* The position of the marker that ends a scan's data, or length; counts the restarts before it. */
ON_ENCODE static size_t skip_scan(
	const uint8_t *bytes, size_t length, size_t at, uint32_t *ret_restarts)
{
	*ret_restarts = 0;
	while (at < length) {
		const uint8_t *found = memchr(bytes + at, 0xff, length - at);
		size_t marker = found ? (size_t)(found - bytes) : length;

		at = marker;
		while (at < length && bytes[at] == 0xff)
			at++;
		if (at == length)
			return length;
		if (bytes[at] >= RST0 && bytes[at] <= RST7)
			++*ret_restarts;
		else if (bytes[at])
			return marker;
		at++;
	}
	return length;
}

/*
 * Whether a scan has as many restart markers as bring it into its last row of MCUs. Only asked of
 * interleaved sequential scans, which is all that cameras make; others pass.
 */
ON_ENCODE static bool has_restarts(const struct picture *picture, uint32_t restarts)
{
	/* One component is not interleaved: its MCU is one block, whatever its sampling. */
	uint32_t mcu_width = 8 * (picture->n_components > 1 ? picture->h_most : 1);
	uint32_t mcu_height = 8 * (picture->n_components > 1 ? picture->v_most : 1);
	uint64_t columns = (picture->width + mcu_width - 1) / mcu_width;
	uint64_t rows = (picture->height + mcu_height - 1) / mcu_height;

	if (!picture->restart_interval || picture->sof == SOF2 || !picture->scan_has_all)
		return true;
	return ((uint64_t)restarts + 1) * picture->restart_interval > (rows - 1) * columns;
}

/* ---- pictures without EOI ---- */

struct probe {
	struct jpeg_decompress_struct decompressor;
	struct jpeg_errors errors; /* their failure is jumped to when the data ends, too */
	struct jpeg_source_mgr source;
	volatile bool complete;
};

static void probe_begin(j_decompress_ptr decompressor)
{
	(void)decompressor;
}

/* The data is at its end: was the decoder in the last MCU row? */
static boolean probe_at_end(j_decompress_ptr decompressor)
{
	struct probe *probe = decompressor->client_data;

	probe->complete = decompressor->input_iMCU_row + 1 >= decompressor->total_iMCU_rows;
	longjmp(probe->errors.failure, 1);
}

static void probe_skip(j_decompress_ptr decompressor, long n)
{
	/* Segments were checked to lie within the data. */
	decompressor->src->next_input_byte += n;
	decompressor->src->bytes_in_buffer -= (size_t)n;
}

ON_ENCODE static void probe_decode(struct jpeg_decompress_struct *decompressor)
{
	JSAMPARRAY row;

	(void)jpeg_read_header(decompressor, TRUE);
	decompressor->scale_num = 1;
	decompressor->scale_denom = 8;
	decompressor->out_color_space = decompressor->jpeg_color_space;
	decompressor->do_fancy_upsampling = FALSE;
	(void)jpeg_start_decompress(decompressor);
	row = decompressor->mem->alloc_sarray((j_common_ptr)decompressor, JPOOL_IMAGE,
		decompressor->output_width * (JDIMENSION)decompressor->output_components, 1);
	while (decompressor->output_scanline < decompressor->output_height)
		(void)jpeg_read_scanlines(decompressor, row, 1);
}

/* Whether a picture of one sequential scan, cut off at length, has data up to its last MCU row. */
ON_ENCODE static bool reaches_last_row(const uint8_t *jpeg, size_t length)
{
	struct probe probe = {
		.source = {.next_input_byte = jpeg,
			.bytes_in_buffer = length,
			.init_source = probe_begin,
			.fill_input_buffer = probe_at_end,
			.skip_input_data = probe_skip,
			.resync_to_restart = jpeg_resync_to_restart,
			.term_source = probe_begin},
	};

	probe.decompressor.err = jpeg_errors_init(&probe.errors);
	probe.decompressor.client_data = &probe;
	if (!setjmp(probe.errors.failure)) {
		jpeg_create_decompress(&probe.decompressor);
		probe.decompressor.src = &probe.source;
		probe_decode(&probe.decompressor);
		probe.complete = true;
	}
	jpeg_destroy_decompress(&probe.decompressor);
	return probe.complete;
}

/* Add the EOI to a picture whose scan, begun at start, lasts to the end, if it lacks only that. */
ON_ENCODE static int end_picture(
	const struct picture *picture, struct packet_piece *piece, size_t start)
{
	uint8_t *bytes = piece->memory;
	size_t end = piece->length_bytes;

	if (picture->sof == SOF2 || !picture->scan_has_all)
		return -EBADMSG;
	/* Padding would decode as picture; the last byte of real data is rarely 0, never 0xff. */
	while (end > start &&
		(bytes[end - 1] == 0xff || (bytes[end - 1] == 0 && bytes[end - 2] != 0xff)))
		end--;
	if (end == start || !reaches_last_row(bytes, end))
		return -EBADMSG;
	bytes[end] = 0xff;
	bytes[end + 1] = EOI;
	piece->length_bytes = end + 2;
	return 0;
}

/* ---- the whole ---- */

/* Check a copied picture from its first scan's data on, and end it where it ends. */
ON_ENCODE static int check_scans(struct picture *picture, struct packet_piece *piece, size_t at)
{
	for (;;) {
		size_t start = at;
		uint32_t restarts;
		int marker;

		at = skip_scan(piece->memory, piece->length_bytes, at, &restarts);
		if (!has_restarts(picture, restarts))
			return -EBADMSG;
		if (at == piece->length_bytes)
			return end_picture(picture, piece, start);
		marker = read_segments(picture, piece->memory, piece->length_bytes, &at);
		if (marker < 0)
			return marker;
		if (marker == EOI) {
			piece->length_bytes = at;
			return picture->scanned + 1 == 1u << picture->n_components ? 0 : -EBADMSG;
		}
	}
}

/* Where SOI is, followed by a marker as it must be; NULL for nowhere near the start. */
ON_ENCODE static const uint8_t *find_soi(const uint8_t *jpeg, size_t length)
{
	static const uint8_t soi[] = {0xff, SOI, 0xff};

	if (length > PREFIX_BYTES_MOST)
		length = PREFIX_BYTES_MOST;
	return memmem(jpeg, length, soi, sizeof soi);
}

int passthrough_copy(const uint8_t *jpeg, size_t length_bytes, struct packet *packet)
{
	const uint8_t *soi = find_soi(jpeg, length_bytes);
	struct packet_piece *piece = &packet->pieces[0];
	struct picture picture = {0};
	size_t at = 2, length, tables;
	int err;

	if (!soi)
		return -EBADMSG;
	length = length_bytes - (size_t)(soi - jpeg);
	if (read_segments(&picture, soi, length, &at) != SOS)
		return -EBADMSG;

	tables = picture.lacks_tables ? sizeof standard_dht : 0;
	err = packet_reserve(piece, length + tables + 2);
	if (err < 0)
		return err;
	memcpy(piece->memory, soi, picture.scan_start);
	memcpy(piece->memory + picture.scan_start, standard_dht, tables);
	memcpy(piece->memory + picture.scan_start + tables, soi + picture.scan_start,
		length - picture.scan_start);
	piece->length_bytes = length + tables;

	err = check_scans(&picture, piece, at + tables);
	if (err < 0)
		return err;
	piece->data = piece->memory;
	packet_compose(packet, 1);
	packet->width = picture.width;
	packet->height = picture.height;
	return 0;
}
