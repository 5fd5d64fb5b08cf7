/*
 * What handing a picture from one thread to another costs: through the exchange; through the same
 * three slots with a mutex instead of the atomic word and a condition instead of the eventfd; and
 * through a queue of one, whose writer waits for room.
 *
 * Each takes its turn in each round: first with a reader that waits for every picture, then with
 * one that is busy with each for longer than the writer's interval. Prints JSON, in ns.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "exchange/exchange.h"

#define ROUNDS_MOST 1000
#define PICTURES    200 /* of a round */
#define INTERVAL_NS (300 * NS_PER_US)
#define BUSY_NS     (1 * NS_PER_MS)

struct picture {
	uint64_t published_ns; /* when its writer began to publish it; 0: the last */
};

/* Three slots as the exchange has them, or one; under a lock. */
struct locked {
	pthread_mutex_t lock;
	pthread_cond_t fresh, taken;
	struct picture slots[3];
	unsigned writer, middle, reader;
	bool is_fresh;
};

struct hand_over {
	struct exchange exchange;
	struct picture exchange_slots[EXCHANGE_SLOTS];
	struct locked locked;
};

static void exchange_put(struct hand_over *h, struct picture picture)
{
	*(struct picture *)exchange_slot(&h->exchange) = picture;
	(void)exchange_publish(&h->exchange);
}

static struct picture exchange_get(struct hand_over *h)
{
	void *slot;

	while (!exchange_take(&h->exchange, &slot)) {
		(void)fd_wait(h->exchange.fresh_fd, -1, UINT64_MAX);
		fd_drain(h->exchange.fresh_fd);
	}
	return *(struct picture *)slot;
}

static void swap(unsigned *a, unsigned *b)
{
	unsigned c = *a;

	*a = *b;
	*b = c;
}

static void mutex_put(struct hand_over *h, struct picture picture)
{
	struct locked *l = &h->locked;

	l->slots[l->writer] = picture;
	pthread_mutex_lock(&l->lock);
	swap(&l->writer, &l->middle);
	l->is_fresh = true;
	pthread_cond_signal(&l->fresh);
	pthread_mutex_unlock(&l->lock);
}

static struct picture locked_get(struct hand_over *h)
{
	struct locked *l = &h->locked;

	pthread_mutex_lock(&l->lock);
	while (!l->is_fresh)
		pthread_cond_wait(&l->fresh, &l->lock);
	swap(&l->reader, &l->middle);
	l->is_fresh = false;
	pthread_cond_signal(&l->taken);
	pthread_mutex_unlock(&l->lock);
	return l->slots[l->reader];
}

static void queue_put(struct hand_over *h, struct picture picture)
{
	struct locked *l = &h->locked;

	pthread_mutex_lock(&l->lock);
	while (l->is_fresh)
		pthread_cond_wait(&l->taken, &l->lock);
	l->slots[l->middle] = picture;
	l->is_fresh = true;
	pthread_cond_signal(&l->fresh);
	pthread_mutex_unlock(&l->lock);
}

static const struct {
	const char *name;
	void (*put)(struct hand_over *h, struct picture picture);
	struct picture (*get)(struct hand_over *h);
} ways[] = {
	{"exchange", exchange_put, exchange_get},
	{"mutex", mutex_put, locked_get},
	{"queue", queue_put, locked_get},
};
#define WAYS (sizeof ways / sizeof ways[0])

/* Sums over all rounds; ns. */
struct samples {
	uint64_t *ns;
	size_t n;
};

struct turn {
	struct hand_over hand_over;
	size_t way;
	bool busy;
	struct samples *publish, *age;
};

static void spend(uint64_t ns)
{
	uint64_t end_ns = clock_now_ns() + ns;

	while (clock_now_ns() < end_ns)
		;
}

static void *read_all(void *context)
{
	struct turn *turn = context;

	for (;;) {
		struct picture picture = ways[turn->way].get(&turn->hand_over);

		if (!picture.published_ns)
			return NULL;
		turn->age->ns[turn->age->n++] = clock_now_ns() - picture.published_ns;
		if (turn->busy)
			spend(BUSY_NS);
	}
}

static void write_all(struct turn *turn)
{
	for (unsigned i = 0; i < PICTURES; i++) {
		static const struct timespec interval = {.tv_nsec = INTERVAL_NS};
		uint64_t begin_ns;

		(void)nanosleep(&interval, NULL); /* a shorter one does no harm */
		begin_ns = clock_now_ns();
		ways[turn->way].put(&turn->hand_over, (struct picture){begin_ns});
		turn->publish->ns[turn->publish->n++] = clock_now_ns() - begin_ns;
	}
	ways[turn->way].put(&turn->hand_over, (struct picture){0});
}

/* Returns 0 or a negative errno. */
static int take_turn(struct turn *turn)
{
	struct hand_over *h = &turn->hand_over;
	pthread_t reader;
	int err = exchange_init(&h->exchange, h->exchange_slots, sizeof h->exchange_slots[0]);

	if (err < 0)
		return err;
	h->locked = (struct locked){.lock = PTHREAD_MUTEX_INITIALIZER,
		.fresh = PTHREAD_COND_INITIALIZER,
		.taken = PTHREAD_COND_INITIALIZER,
		.middle = 1,
		.reader = 2};
	err = -pthread_create(&reader, NULL, read_all, turn);
	if (!err) {
		write_all(turn);
		(void)pthread_join(reader, NULL); /* ours, joined once */
	}
	exchange_finish(&h->exchange);
	return err;
}

static int compare(const void *a, const void *b)
{
	const uint64_t *left = a, *right = b;

	return (*left > *right) - (*left < *right);
}

static void print_samples(const char *name, struct samples *samples, const char *end)
{
	qsort(samples->ns, samples->n, sizeof *samples->ns, compare);
	printf("\"%s\": {\"p50\": %llu, \"p99\": %llu, \"max\": %llu}%s", name,
		(unsigned long long)samples->ns[samples->n / 2],
		(unsigned long long)samples->ns[samples->n * 99 / 100],
		(unsigned long long)samples->ns[samples->n - 1], end);
}

/* All ways with one kind of reader. Returns 0 or a negative errno. */
static int run(bool busy, unsigned rounds)
{
	struct samples publish[WAYS] = {0}, age[WAYS] = {0};
	int err = 0;

	for (size_t way = 0; way < WAYS; way++) {
		publish[way].ns = calloc((size_t)rounds * PICTURES, sizeof(uint64_t));
		age[way].ns = calloc((size_t)rounds * PICTURES, sizeof(uint64_t));
		if (!publish[way].ns || !age[way].ns)
			err = -ENOMEM;
	}
	for (unsigned round = 0; round < rounds; round++)
		for (size_t way = 0; !err && way < WAYS; way++) {
			struct turn turn = {.way = way,
				.busy = busy,
				.publish = &publish[way],
				.age = &age[way]};

			err = take_turn(&turn);
		}
	printf("\"%s\": {", busy ? "busy" : "waiting");
	for (size_t way = 0; way < WAYS; way++) {
		if (!err) {
			printf("\"%s\": {", ways[way].name);
			print_samples("publish", &publish[way], ", ");
			print_samples("age", &age[way], way + 1 < WAYS ? "}, " : "}");
		}
		free(publish[way].ns);
		free(age[way].ns);
	}
	printf("}");
	return err;
}

int main(int argc, char **argv)
{
	unsigned long rounds = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;
	int err;

	if (!rounds || rounds > ROUNDS_MOST) {
		fprintf(stderr, "usage: bench-exchange ROUNDS\n");
		return EXIT_FAILURE;
	}
	printf("{");
	err = run(false, (unsigned)rounds);
	printf(", ");
	if (!err)
		err = run(true, (unsigned)rounds);
	printf("}\n");
	if (err < 0)
		fprintf(stderr, "bench-exchange: %s\n", strerror(-err));
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
