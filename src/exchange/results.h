/* Results: what filters found in a frame, a few names with a short text each. */
#ifndef FANLIGHT_EXCHANGE_RESULTS_H
#define FANLIGHT_EXCHANGE_RESULTS_H

#define RESULTS_MOST      8
#define RESULT_NAME_BYTES 24
#define RESULT_TEXT_BYTES 64

struct results {
	unsigned n;
	struct frame_result {
		char name[RESULT_NAME_BYTES]; /* a-z, 0-9 and _ */
		char text[RESULT_TEXT_BYTES]; /* a filter's: hardly always UTF-8 */
	} all[RESULTS_MOST];
};

#endif
