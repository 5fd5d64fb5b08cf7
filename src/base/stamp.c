#include "base/stamp.h"

#define MARK 0xf5

void stamp_write(uint64_t captured_ns, uint8_t ret_bits[STAMP_BYTES])
{
	uint8_t sum = 0;

	for (size_t i = 0; i < 8; i++) {
		ret_bits[i] = (uint8_t)(captured_ns >> (56 - 8 * i));
		sum ^= ret_bits[i];
	}
	ret_bits[8] = MARK;
	ret_bits[9] = sum;
}

/* Whether a block is white: by its inner quarter, which its neighbours do not ring into. */
static bool block_is_white(const uint8_t *block, size_t stride_bytes)
{
	unsigned sum = 0;

	for (size_t y = 2; y < 6; y++)
		for (size_t x = 2; x < 6; x++)
			sum += block[y * stride_bytes + x];
	return sum >= 16 * 128;
}

bool stamp_read(const uint8_t *luma, size_t stride_bytes, uint32_t width, uint32_t height,
	uint64_t *ret_captured_ns)
{
	uint8_t bits[STAMP_BYTES] = {0}, sum = 0;
	uint64_t value = 0;

	if (width < STAMP_WIDTH || height < STAMP_HEIGHT)
		return false;
	for (size_t i = 0; i < STAMP_COLUMNS * STAMP_ROWS; i++) {
		size_t x = i % STAMP_COLUMNS * STAMP_BLOCK_PIXELS;
		size_t y = i / STAMP_COLUMNS * STAMP_BLOCK_PIXELS;

		if (block_is_white(luma + y * stride_bytes + x, stride_bytes))
			bits[i / 8] |= (uint8_t)(0x80 >> i % 8);
	}
	for (size_t i = 0; i < 8; i++) {
		value = value << 8 | bits[i];
		sum ^= bits[i];
	}
	if (bits[8] != MARK || bits[9] != sum)
		return false;
	*ret_captured_ns = value;
	return true;
}
