/*
 * So much of klib's khash.h as libh2o's http2_internal.h needs to be compiled; nothing of it is
 * called. libh2o's package ships the one without the other.
 */
#ifndef FANLIGHT_KHASH_H
#define FANLIGHT_KHASH_H

#define KHASH_MAP_INIT_INT64(name, type) \
	struct kh_##name {               \
		type *values;            \
	};
#define khash_t(name)            struct kh_##name
#define khiter_t                 unsigned
#define kh_get(name, table, key) ((void)(table), (khiter_t)(key))
#define kh_end(table)            ((void)(table), 0u)
#define kh_val(table, i)         ((table)->values[i])

#endif
