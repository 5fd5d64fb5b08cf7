/*
 * Probes: places that perf and bpftrace can listen at (USDT, provider "fanlight"), each a single nop
 * until somebody does. tools/latency-trace draws what they tell.
 *
 * A frame is known by its captured_ns, which no two frames of a camera share; threads by name.
 *
 *   captured(captured_ns, sequence, dequeued_ns)   capture lends it to encode
 *   encode_begin(captured_ns)                      encode has taken it
 *   slice_begin(captured_ns, slice)                on the thread that encodes the slice, if it is cut
 *   slice_end(captured_ns, slice)
 *   encode_end(captured_ns)                        encode is done with it, well or not
 *   published(captured_ns)                         the server has it, whole
 *   send_begin(captured_ns, stream)                it is the next for a viewer's stream
 *   send_end(captured_ns, stream)                  the kernel has taken all of it
 */
#ifndef FANLIGHT_BASE_TRACE_H
#define FANLIGHT_BASE_TRACE_H

#if HAVE_SDT
#define SDT_USE_VARIADIC
#include <sys/sdt.h>
#define TRACE(name, ...) STAP_PROBEV(fanlight, name, __VA_ARGS__)
#else
#define TRACE(name, ...) ((void)0)
#endif

#endif
