/*
 * /<camera>/controls and /<camera>/process: how a camera's controls and formats, or its filters,
 * are, and changes to them. The camera's control thread answers, one request at a time; further ones
 * wait here. Who is waited for too long is told so, and the thread's answer then goes to nobody.
 */
#include "server/inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "exchange/controls.h"

/* A USB camera may take 5 s for one transfer, and to start in another format as long. */
#define PATIENCE_MS 15000

/* Lives in its request's pool. */
struct errand {
	h2o_linklist_t link; /* in feed->errands until it is asked */
	h2o_timeout_entry_t timeout;
	struct feed *feed;
	h2o_req_t *req;
	enum control_subject subject;
};

/* The errand is over: its request is about to be answered, or is gone. */
ON_SERVER static void end_errand(struct errand *errand)
{
	if (h2o_linklist_is_linked(&errand->link))
		h2o_linklist_unlink(&errand->link);
	h2o_timeout_unlink(&errand->timeout);
	if (errand->feed->asked == errand)
		errand->feed->asked = NULL;
}

ON_SERVER static void dispose_errand(void *memory)
{
	end_errand(memory);
}

/* Ask the control thread what the next one wants, unless it is still at the last. */
ON_SERVER static void ask_next(struct feed *feed)
{
	struct control_request *slot = exchange_slot(feed->camera.requests);
	struct errand *errand;

	if (feed->asking || h2o_linklist_is_empty(&feed->errands))
		return;
	errand = H2O_STRUCT_FROM_MEMBER(struct errand, link, feed->errands.next);
	h2o_linklist_unlink(&errand->link);
	feed->asked = errand;
	feed->asking = true;
	slot->subject = errand->subject;
	slot->bytes = errand->req->entity.len; /* libh2o takes no longer body than fits here */
	if (slot->bytes)
		memcpy(slot->text, errand->req->entity.base, slot->bytes);
	(void)exchange_publish(feed->camera.requests);
}

ON_SERVER static void refuse(struct errand *errand, const char *sentence)
{
	h2o_req_t *req = errand->req;

	end_errand(errand);
	reply_header(req, "Retry-After", "1");
	reply_live_headers(req);
	reply_sentence(req, 503, "%s", sentence);
}

ON_SERVER static void on_impatient(h2o_timeout_entry_t *entry)
{
	refuse(H2O_STRUCT_FROM_MEMBER(struct errand, timeout, entry),
		"The camera takes too long to answer.");
}

ON_SERVER static int status_of(int err)
{
	switch (err) {
	case 0:
		return 200;
	case -EINVAL:
		return 400;
	case -ENODEV:
	case -ENOMEM:
		return 503;
	default:
		return 409;
	}
}

ON_SERVER static void pass_on(struct errand *errand, const struct control_answer *answer)
{
	h2o_req_t *req = errand->req;
	int status = status_of(answer->err);

	if (!answer->json) {
		refuse(errand, "There is no memory for this answer.");
		return;
	}
	end_errand(errand);
	if (status == 503)
		reply_header(req, "Retry-After", "1");
	reply_live_headers(req);
	reply(req, status, "application/json", answer->json, strlen(answer->json));
}

void controls_serve(struct feed *feed, h2o_req_t *req, enum control_subject subject)
{
	struct errand *errand = h2o_mem_alloc_shared(&req->pool, sizeof *errand, dispose_errand);

	*errand = (struct errand){
		.timeout = {.cb = on_impatient}, .feed = feed, .req = req, .subject = subject};
	h2o_linklist_insert(&feed->errands, &errand->link);
	h2o_timeout_link(req->conn->ctx->loop, &feed->server->control_patience, &errand->timeout);
	ask_next(feed);
}

void controls_take(struct feed *feed)
{
	struct control_answer *answer;
	void *slot;

	if (!exchange_take(feed->camera.answers, &slot))
		return;
	answer = slot;
	feed->asking = false;
	if (feed->asked)
		pass_on(feed->asked, answer);
	free(answer->json);
	answer->json = NULL;
	ask_next(feed);
}

void controls_stop(struct feed *feed)
{
	if (feed->asked)
		refuse(feed->asked, "Fanlight is stopping.");
	while (!h2o_linklist_is_empty(&feed->errands))
		refuse(H2O_STRUCT_FROM_MEMBER(struct errand, link, feed->errands.next),
			"Fanlight is stopping.");
}

void controls_begin(struct server *server)
{
	h2o_timeout_init(server->context.loop, &server->control_patience, PATIENCE_MS);
}
