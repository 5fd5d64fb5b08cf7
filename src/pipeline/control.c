#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "pipeline/inside.h"
#include "process/document.h"

ON_CONTROL static void answer_server(struct pipeline *p, int err, char *json)
{
	struct control_answer *slot = exchange_slot(&p->answers);

	*slot = (struct control_answer){err, json};
	(void)exchange_publish(&p->answers);
}

/* Controls or formats are others than they were: the server looks, whether or not it has asked. */
ON_CONTROL static void note_change(struct pipeline *p)
{
	stat_add(&p->stats.controls_changed, 1);
	fd_signal(p->answers.fresh_fd);
}

/* Go where the camera is; who waits for its other format hears what came of it. */
ON_CONTROL static void follow_camera(struct pipeline *p)
{
	const struct presence *presence;
	char reason[CAMERA_REASON_BYTES], *json;
	void *slot;
	int err;

	fd_drain(p->presence.fresh_fd);
	if (!exchange_is_fresh(&p->presence))
		return;
	/* First: capture, whose camera goes, waits until this is taken. */
	desk_close(&p->desk);
	(void)exchange_take(&p->presence, &slot);
	presence = slot;
	if (presence->open && desk_open(&p->desk, &presence->info, reason) < 0)
		log_warning(p->room, "%s", reason);
	note_change(p);
	if (p->waiting && presence->wish == p->wish) {
		err = desk_settle(&p->desk, presence->refused, &json);
		answer_server(p, err, json);
		p->waiting = false;
	}
}

/* Encode takes other filters from its next frame on; what it has left behind is destroyed. */
ON_CONTROL static int change_filters(
	struct pipeline *p, const struct process_config *config, char reason[PROCESS_REASON_BYTES])
{
	struct chain **slot = exchange_slot(&p->chains);
	int err = chain_create(config, p->stats.filters, slot, reason);

	if (err < 0)
		return err;
	slot = exchange_publish(&p->chains);
	chain_destroy(*slot);
	*slot = NULL;
	p->process = *config;
	note_change(p);
	return 0;
}

ON_CONTROL static void attend_filters(struct pipeline *p, const struct control_request *request)
{
	/* A sandbox allows no child to try plugins in. */
	static const char late[] = "plugins are loaded when Fanlight starts: name this one in the "
				   "settings file, and start anew";
	static const char shown[] = "the preview shows pictures without filters, and would show "
				    "what a mask hides: take preview out of the settings file, "
				    "and start anew";
	struct process_config config = p->process;
	char reason[PROCESS_REASON_BYTES], *json;
	int err = document_patch(&config, request->text, request->bytes, &json);

	if (!err && !process_has_plugins_of(&p->settings->process, &config)) {
		free(json);
		err = document_refuse(late, "process", -EBUSY, &json);
	}
	if (!err && *p->config->preview && process_hides(&config)) {
		free(json);
		err = document_refuse(shown, "process", -EBUSY, &json);
	}
	if (!err && request->bytes) {
		config.live = true;
		err = change_filters(p, &config, reason);
		if (err < 0) {
			free(json);
			(void)document_refuse(reason, "process", err, &json);
		}
	}
	answer_server(p, err, json);
}

ON_CONTROL static void attend_server(struct pipeline *p)
{
	const struct control_request *request;
	struct format_wish format;
	struct wish *wish;
	void *slot;
	char *json;
	int err;

	fd_drain(p->requests.fresh_fd);
	if (!exchange_take(&p->requests, &slot))
		return;
	request = slot;
	if (request->subject == CONTROL_FILTERS) {
		attend_filters(p, request);
		return;
	}
	err = desk_ask(&p->desk, request->text, request->bytes, &format, &json);
	if (request->bytes)
		note_change(p);
	if (err <= 0) {
		answer_server(p, err, json);
		return;
	}
	p->waiting = true;
	wish = exchange_slot(&p->wishes);
	*wish = (struct wish){++p->wish, format};
	(void)exchange_publish(&p->wishes);
}

void *control_loop(void *context)
{
	struct pipeline *p = context;

	role_take(&role_control, p->config->name);
	for (;;) {
		struct pollfd fds[] = {
			{p->control_stop_fd, POLLIN, 0},
			{p->presence.fresh_fd, POLLIN, 0},
			{p->requests.fresh_fd, POLLIN, 0},
			/* Not POLLIN: that would ask for pictures. */
			{desk_event_fd(&p->desk), POLLPRI, 0},
		};

		(void)poll(fds, 4, -1); /* EINTR: looking costs nothing */
		if (fds[0].revents)
			break;
		if (fds[3].revents && desk_look(&p->desk))
			note_change(p);
		follow_camera(p);
		attend_server(p);
		pulse_beat(&p->control_pulse);
	}
	desk_close(&p->desk);
	return NULL;
}
