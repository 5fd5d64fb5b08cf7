#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/variant.h"

struct size {
	uint32_t width, height;
};

static void assert_fit(struct variant variant, struct size from, struct size to)
{
	variant_fit(&variant, &from.width, &from.height);
	assert_int_equal(from.width, to.width);
	assert_int_equal(from.height, to.height);
}

static void pictures_keep_their_shape_and_never_grow(void **state)
{
	(void)state;
	assert_fit((struct variant){0}, (struct size){1280, 720}, (struct size){1280, 720});
	assert_fit((struct variant){.quality = 10}, (struct size){3, 5}, (struct size){3, 5});
	assert_fit(
		(struct variant){.width = 640}, (struct size){1280, 720}, (struct size){640, 360});
	assert_fit(
		(struct variant){.width = 640}, (struct size){720, 1280}, (struct size){640, 1138});
	assert_fit(
		(struct variant){.width = 640}, (struct size){320, 9000}, (struct size){320, 9000});
	assert_fit((struct variant){.width = 100, .height = 100}, (struct size){1280, 720},
		(struct size){100, 56});
	assert_fit((struct variant){.width = 100, .height = 100}, (struct size){720, 1280},
		(struct size){56, 100});
	assert_fit((struct variant){.width = 16384, .height = 16}, (struct size){1280, 720},
		(struct size){28, 16});
	assert_fit((struct variant){.width = 16384, .height = 16384}, (struct size){7, 9},
		(struct size){7, 9});
	assert_fit(
		(struct variant){.divisor = 8}, (struct size){1283, 721}, (struct size){160, 90});
}

static void something_is_left_of_every_picture(void **state)
{
	(void)state;
	assert_fit((struct variant){.divisor = 8}, (struct size){2, 7}, (struct size){1, 1});
	assert_fit((struct variant){.width = 16}, (struct size){16384, 1}, (struct size){16, 1});
	assert_fit((struct variant){.width = 99, .height = 16}, (struct size){1, 16384},
		(struct size){1, 16});
}

static void assert_name(struct variant variant, const char *expected)
{
	char name[VARIANT_NAME_BYTES];

	variant_name(&variant, name);
	assert_string_equal(name, expected);
}

static void names_say_what_was_asked(void **state)
{
	(void)state;
	assert_name((struct variant){0}, "");
	assert_name((struct variant){.width = 640}, "640");
	assert_name(
		(struct variant){.width = 16384, .height = 16384, .quality = 95}, "16384x16384q95");
	assert_name((struct variant){.divisor = 4, .quality = 10}, "1/4q10");
	assert_name((struct variant){.quality = 50}, "q50");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pictures_keep_their_shape_and_never_grow),
		cmocka_unit_test(something_is_left_of_every_picture),
		cmocka_unit_test(names_say_what_was_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
