/*
 * Mask: polygons made black, or so coarse that nothing is to be seen, before anything else sees the
 * picture.
 *
 * Polygons become cells of two by two pixels, which no format's chroma crosses; a cell that an edge
 * runs through belongs to its polygon. Cells are listed block by block, once for each kind of
 * frame, as runs from left to right.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "process/canvas.h"
#include "process/filter.h"

#define CELL_PIXELS 2

/* A mosaic has so many blocks from left to right. */
#define MOSAIC_BLOCKS 32

struct run {
	uint32_t row, from, to;
};

struct block {
	uint32_t x, y; /* its first cell */
	size_t first_run, n_runs;
};

struct mask {
	struct filter filter;
	struct mask_config config;

	/* of frames like this one */
	struct frame like;
	uint32_t columns, rows, block_cells;
	uint8_t *cells;
	struct run *runs;
	struct block *blocks;
	size_t n_runs, n_blocks;
};

/* ---- polygons ---- */

/* A corner in cells of the frame as it lies. */
ON_ENCODE static struct mask_point place(
	const struct mask *mask, const struct frame *frame, const struct mask_point *point)
{
	bool transposed = frame->order.transposed;
	float x = transposed ? point->y : point->x, y = transposed ? point->x : point->y;

	return (struct mask_point){
		.x = (frame->order.mirrored ? 1 - x : x) * (float)mask->like.width / CELL_PIXELS,
		.y = (frame->order.flipped ? 1 - y : y) * (float)mask->like.height / CELL_PIXELS,
	};
}

ON_ENCODE static void set_cell(struct mask *mask, float x, float y)
{
	uint32_t column = (uint32_t)x, row = (uint32_t)y;

	/* What lies on the right or lower border belongs to the last. */
	column = column < mask->columns ? column : mask->columns - 1;
	row = row < mask->rows ? row : mask->rows - 1;
	mask->cells[(size_t)row * mask->columns + column] = 1;
}

ON_ENCODE static void set_edge(struct mask *mask, struct mask_point a, struct mask_point b)
{
	float longer = fmaxf(fabsf(b.x - a.x), fabsf(b.y - a.y));
	int steps = 1 + (int)(4 * longer);

	for (int i = 0; i <= steps; i++) {
		float share = (float)i / (float)steps;

		set_cell(mask, a.x + share * (b.x - a.x), a.y + share * (b.y - a.y));
	}
}

/* Whether a point is inside: a ray to its right crosses an odd number of edges. */
ON_ENCODE static bool is_inside(const struct mask_point *corners, unsigned n, float x, float y)
{
	bool inside = false;

	for (unsigned i = 0; i < n; i++) {
		const struct mask_point *a = &corners[i], *b = &corners[(i + 1) % n];

		if ((a->y > y) != (b->y > y) &&
			x < a->x + (y - a->y) * (b->x - a->x) / (b->y - a->y))
			inside = !inside;
	}
	return inside;
}

ON_ENCODE static void set_polygon(struct mask *mask, const struct mask_point *corners, unsigned n)
{
	for (uint32_t row = 0; row < mask->rows; row++)
		for (uint32_t column = 0; column < mask->columns; column++)
			if (is_inside(corners, n, (float)column + 0.5F, (float)row + 0.5F))
				mask->cells[(size_t)row * mask->columns + column] = 1;
	for (unsigned i = 0; i < n; i++)
		set_edge(mask, corners[i], corners[(i + 1) % n]);
}

ON_ENCODE static void set_cells(struct mask *mask, const struct frame *frame)
{
	struct mask_point corners[PROCESS_POINTS_MOST];
	unsigned n = 0;

	for (unsigned i = 0; i < mask->config.n_points; i++) {
		corners[n++] = place(mask, frame, &mask->config.points[i]);
		if (!mask->config.points[i].ends)
			continue;
		set_polygon(mask, corners, n);
		n = 0;
	}
}

/* ---- lists ---- */

/* List the runs of a block; runs has room for all cells. */
ON_ENCODE static void list_runs(struct mask *mask, struct block *block)
{
	uint32_t right = block->x + mask->block_cells, bottom = block->y + mask->block_cells;

	right = right < mask->columns ? right : mask->columns;
	bottom = bottom < mask->rows ? bottom : mask->rows;
	block->first_run = mask->n_runs;
	for (uint32_t row = block->y; row < bottom; row++) {
		const uint8_t *cells = mask->cells + (size_t)row * mask->columns;
		uint32_t from = block->x;

		while (from < right) {
			uint32_t to = from;

			while (to < right && cells[to])
				to++;
			if (to > from)
				mask->runs[mask->n_runs++] = (struct run){row, from, to};
			from = to + 1;
		}
	}
	block->n_runs = mask->n_runs - block->first_run;
}

ON_ENCODE static void list_blocks(struct mask *mask)
{
	mask->n_runs = mask->n_blocks = 0;
	for (uint32_t y = 0; y < mask->rows; y += mask->block_cells)
		for (uint32_t x = 0; x < mask->columns; x += mask->block_cells) {
			struct block *block = &mask->blocks[mask->n_blocks];

			*block = (struct block){.x = x, .y = y};
			list_runs(mask, block);
			mask->n_blocks += block->n_runs > 0;
		}
}

ON_ENCODE static void forget(struct mask *mask)
{
	free(mask->cells);
	free(mask->runs);
	free(mask->blocks);
	mask->cells = NULL;
	mask->runs = NULL;
	mask->blocks = NULL;
	mask->like = (struct frame){0};
}

ON_ENCODE static bool is_like(const struct frame *a, const struct frame *b)
{
	return a->width == b->width && a->height == b->height &&
	       a->order.mirrored == b->order.mirrored && a->order.flipped == b->order.flipped &&
	       a->order.transposed == b->order.transposed;
}

/* Know which cells of frames like this one are masked. */
ON_ENCODE static int prepare(struct mask *mask, const struct frame *frame)
{
	size_t n_cells, n_blocks;

	if (is_like(&mask->like, frame))
		return 0;
	forget(mask);
	mask->columns = (frame->width + CELL_PIXELS - 1) / CELL_PIXELS;
	mask->rows = (frame->height + CELL_PIXELS - 1) / CELL_PIXELS;
	mask->block_cells = mask->columns / MOSAIC_BLOCKS + 1;
	n_cells = (size_t)mask->columns * mask->rows;
	n_blocks = (size_t)(mask->columns / mask->block_cells + 1) *
		   (mask->rows / mask->block_cells + 1);
	mask->cells = calloc(n_cells, 1);
	mask->runs = calloc(n_cells, sizeof *mask->runs);
	mask->blocks = calloc(n_blocks, sizeof *mask->blocks);
	if (!mask->cells || !mask->runs || !mask->blocks) {
		forget(mask);
		return -ENOMEM;
	}
	mask->like = *frame;
	set_cells(mask, frame);
	list_blocks(mask);
	return 0;
}

/* ---- drawing ---- */

/* The first and the end of the samples of cells, no more than there are. */
static uint32_t first_sample(uint32_t cell, unsigned shift, uint32_t n)
{
	uint32_t sample = cell * CELL_PIXELS >> shift;

	return sample < n ? sample : n;
}

ON_ENCODE static uint8_t average(const struct mask *mask, const struct block *block,
	const struct canvas *canvas, const struct canvas_component *c)
{
	uint32_t left = first_sample(block->x, c->x_shift, c->width);
	uint32_t right = first_sample(block->x + mask->block_cells, c->x_shift, c->width);
	uint32_t top = first_sample(block->y, c->y_shift, c->height);
	uint32_t bottom = first_sample(block->y + mask->block_cells, c->y_shift, c->height);
	uint64_t sum = 0;

	for (uint32_t y = top; y < bottom; y++)
		for (uint32_t x = left; x < right; x++)
			sum += canvas_get(canvas, c, x, y);
	return (uint8_t)(sum / ((uint64_t)(bottom - top) * (right - left)));
}

ON_ENCODE static void fill_run(const struct run *run, const struct canvas *canvas,
	const struct canvas_component *c, uint8_t value)
{
	uint32_t left = first_sample(run->from, c->x_shift, c->width);
	uint32_t right = first_sample(run->to, c->x_shift, c->width);
	uint32_t top = first_sample(run->row, c->y_shift, c->height);
	uint32_t bottom = first_sample(run->row + 1, c->y_shift, c->height);

	for (uint32_t y = top; y < bottom; y++)
		canvas_fill(canvas, c, left, y, right - left, value);
}

ON_ENCODE static int mask_run(struct filter *filter, const struct pixel_format *format,
	struct frame *frame, struct results *results)
{
	static const uint8_t black[3];
	struct mask *mask = (struct mask *)filter;
	uint8_t values[CANVAS_COMPONENTS];
	struct canvas canvas;
	int err = prepare(mask, frame);

	(void)results; /* it finds nothing */
	if (err < 0)
		return err;
	canvas_init(&canvas, format, frame);
	canvas_colour(format, frame, black, values);
	for (size_t i = 0; i < mask->n_blocks; i++)
		for (unsigned k = 0; k < canvas.n_components; k++) {
			const struct canvas_component *c = &canvas.components[k];
			const struct block *block = &mask->blocks[i];

			if (mask->config.mosaic)
				values[k] = average(mask, block, &canvas, c);
			for (size_t r = 0; r < block->n_runs; r++)
				fill_run(&mask->runs[block->first_run + r], &canvas, c, values[k]);
		}
	return 0;
}

static void mask_destroy(struct filter *filter)
{
	struct mask *mask = (struct mask *)filter;

	free(mask->cells);
	free(mask->runs);
	free(mask->blocks);
	free(mask);
}

struct filter *mask_create(const struct mask_config *config)
{
	struct mask *mask = calloc(1, sizeof *mask);

	if (!mask)
		return NULL;
	mask->filter = (struct filter){.run = mask_run, .destroy = mask_destroy, .draws = true};
	mask->config = *config;
	return &mask->filter;
}
