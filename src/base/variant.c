#include "base/variant.h"

#include <stdio.h>
#include <string.h>

bool variant_equals(const struct variant *a, const struct variant *b)
{
	return !memcmp(a, b, sizeof *a);
}

/* Shrink a side that is longer than most, and the other one with it. */
static void shrink(uint32_t *side, uint32_t *other, uint32_t most)
{
	if (!most || *side <= most)
		return;
	*other = (uint32_t)(((uint64_t)*other * most + *side / 2) / *side);
	if (!*other)
		*other = 1;
	*side = most;
}

void variant_fit(const struct variant *variant, uint32_t *width, uint32_t *height)
{
	if (variant->divisor) {
		*width = *width > variant->divisor ? *width / variant->divisor : 1;
		*height = *height > variant->divisor ? *height / variant->divisor : 1;
	}
	shrink(width, height, variant->width);
	shrink(height, width, variant->height);
}

void variant_name(const struct variant *variant, char ret_name[VARIANT_NAME_BYTES])
{
	char size[14] = "", quality[7] = "";

	if (variant->divisor)
		(void)snprintf(size, sizeof size, "1/%u", variant->divisor);
	else if (variant->height)
		(void)snprintf(size, sizeof size, "%ux%u", variant->width, variant->height);
	else if (variant->width)
		(void)snprintf(size, sizeof size, "%u", variant->width);
	if (variant->quality)
		(void)snprintf(quality, sizeof quality, "q%u", variant->quality);
	(void)snprintf(ret_name, VARIANT_NAME_BYTES, "%s%s", size, quality);
}
