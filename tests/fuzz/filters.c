/* Whatever is sent to change filters: no crash, and what passes makes filters that run. */
#include <errno.h>

#include <linux/videodev2.h>

#include "must.h"
#include "process/chain.h"
#include "process/document.h"

ON_ENCODE static void run(const struct process_config *config)
{
	static struct filter_stats stats[FILTERS_NAMED];
	uint8_t pixels[36 * 18];
	struct frame frame = {
		.fourcc = V4L2_PIX_FMT_YUYV,
		.width = 17,
		.height = 18,
		.n_planes = 1,
		.planes = {{.data = pixels, .stride_bytes = 36, .size_bytes = sizeof pixels}},
	};
	char reason[PROCESS_REASON_BYTES];
	struct results results = {0};
	stat_counter copied_bytes = 0;
	struct chain *chain;
	int err;

	memset(pixels, 99, sizeof pixels);
	err = chain_create(config, stats, &chain, reason);
	must(!err || (err == -EACCES && strstr(reason, "plugin-dir")));
	if (err < 0)
		return;
	must(!chain_run(chain, &frame, &results, &copied_bytes));
	must(frame.width && frame.width <= 17 && frame.height && frame.height <= 18);
	chain_destroy(chain);
}

ON_ENCODE int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct process_config config, again;
	char *json, *json_again;

	process_config_init(&config);
	config.camera = "front";
	config.font = FONT;
	if (!document_patch(&config, (const char *)data, size, &json)) {
		run(&config);
		/* What it answers is what it takes. */
		process_config_init(&again);
		must(!document_patch(&again, json, strlen(json), &json_again));
		must(!strcmp(json, json_again));
		free(json_again);
	}
	free(json);
	return 0;
}
