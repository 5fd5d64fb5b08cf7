/*
 * Pixel formats: what Fanlight reads without conversion, and where each one's planes lie.
 */
#ifndef FANLIGHT_FORMATS_H
#define FANLIGHT_FORMATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/roles.h"
#include "fanlight/frame.h"

enum format_kind { FORMAT_YUV, FORMAT_GREY, FORMAT_RGB, FORMAT_COMPRESSED };

struct format {
	uint32_t fourcc; /* V4L2_PIX_FMT_* */
	enum format_kind kind;
	uint8_t n_planes;  /* colour planes, as struct frame counts them */
	uint8_t n_buffers; /* memory planes that V4L2 delivers them in: 1, or n_planes (…M) */
	uint8_t bytes_per_pixel; /* of plane 0; 0 when compressed */
	uint8_t chroma_bytes; /* bytes of one sample in planes 1 and up: 2 interleaved, 1, or 0 */
	uint8_t h_shift, v_shift; /* log2 of the chroma subsampling */
};

/* The entry for a fourcc that Fanlight reads natively, or NULL. */
ANY_THREAD const struct format *format_find(uint32_t fourcc);

/* "YUYV" for a fourcc, spaces trimmed, unprintables as '?'; writes at most 5 bytes to text. */
ANY_THREAD const char *format_name(uint32_t fourcc, char text[5]);

/* The fourcc of a name ("YUYV", "Y10"; short ones are padded with spaces), or 0. */
ANY_THREAD uint32_t format_parse(const char *name);

/*
 * Lay out frame->planes (data, stride, size, offset) for a picture of frame->fourcc, width and
 * height. base[i], size_bytes[i] and stride_bytes[i] describe memory plane i (n_buffers of them);
 * a contiguous picture's chroma planes follow its luma with V4L2's strides. Offsets count from the
 * base, sizes reach to the end of the memory; dmabuf_fd is left to the caller.
 * Returns 0, or -EINVAL when a plane would not fit its memory or a stride is too small.
 */
ANY_THREAD int format_lay_out(const struct format *format, struct frame *frame,
	uint8_t *const base[], const size_t size_bytes[], const uint32_t stride_bytes[]);

#endif
