/*
 * What the threads of a camera share, and who does what:
 *
 *   capture (one a camera): open; wait for a frame, publish it, give back the one that returns;
 *                           when the camera fails, rests or the program stops, recall what is on
 *                           loan and close; wait, and open again. What is next, and when, says
 *                           life.h.
 *   encode  (one a camera): sleep while nobody wants pictures; else take the newest frame, encode
 *                           it, with the help of the workers, and publish the packet; while there
 *                           is no picture, a placeholder (outage.c).
 *   preview (one a camera, if wished): show the newest frame on a screen, and keep it until the next
 *                           is there.
 *   control (one a camera): answer what the server asks about the camera's controls, and follow what
 *                           changes them elsewhere, on an fd of its own while capture has one.
 *   workers (a few)       : encode slices of any camera's frame (encode/workers.c).
 *   server  (one):          turn libh2o's loop.
 *   login   (one):          compare a password with its hash for the server, which takes a while.
 *
 * Exchanges join them: one of frames, and of packets one for each outlet; others carry the camera's
 * status to the server, to main and to encode, and control's filters to encode.
 * Control has a pair of them with the server (requests, answers) and with capture: presence says
 * where the camera is, wishes which format it should change to.
 * Downstream starts first, upstream stops first.
 */
#ifndef FANLIGHT_PIPELINE_INSIDE_H
#define FANLIGHT_PIPELINE_INSIDE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "base/pulse.h"
#include "camera/desk.h"
#include "encode/decode.h"
#include "encode/slicer.h"
#include "exchange/controls.h"
#include "exchange/lending.h"
#include "exchange/outlet.h"
#include "exchange/packet.h"
#include "pipeline/life.h"
#include "pipeline/pipeline.h"
#include "preview/kms.h"
#include "process/chain.h"
#include "process/placeholder.h"

/* Where control finds the camera. */
struct presence {
	bool open;
	struct camera_info info;
	uint64_t wish;                     /* the last that was tried */
	char refused[CAMERA_REASON_BYTES]; /* why it was in vain; "" when it was granted */
};

struct wish {
	uint64_t number;
	struct format_wish format;
};

struct pipeline {
	/* all threads, constant while they run */
	const struct camera_settings *settings;
	const struct camera_config *config; /* of them */
	char room[48];                      /* for the log */
	int capture_stop_fd, control_stop_fd, encode_stop_fd, preview_stop_fd;
	int capture_wake_fd; /* for its pulse; the others have something that wakes them */
	int arrivals_fd;     /* of devices, for capture; -1 where the kernel does not tell */
	int hotplug_fd;      /* of screens, for preview; -1 as well */

	/* between threads */
	struct exchange frames;   /* capture to encode, of struct frame */
	struct exchange shown;    /* capture to preview, of struct frame */
	struct exchange status;   /* capture to server, of struct camera_status */
	struct exchange news;     /* capture to main, of struct camera_status */
	struct exchange troubles; /* capture to encode, of struct camera_status */
	struct exchange presence; /* capture to control, of struct presence */
	struct exchange wishes;   /* control to capture, of struct wish */
	struct exchange requests; /* server to control, of struct control_request */
	struct exchange answers;  /* control to server, of struct control_answer */
	struct exchange chains;   /* control to encode, of struct chain * */
	struct demand demand;     /* server to encode and capture */
	struct camera_stats stats;
	struct pulse capture_pulse, control_pulse, encode_pulse, preview_pulse;
	struct frame frame_slots[EXCHANGE_SLOTS];
	struct frame shown_slots[EXCHANGE_SLOTS_KEEPING];
	struct camera_status status_slots[EXCHANGE_SLOTS];
	struct camera_status news_slots[EXCHANGE_SLOTS];
	struct camera_status trouble_slots[EXCHANGE_SLOTS];
	struct presence presence_slots[EXCHANGE_SLOTS];
	struct wish wish_slots[EXCHANGE_SLOTS];
	struct control_request request_slots[EXCHANGE_SLOTS];
	struct control_answer answer_slots[EXCHANGE_SLOTS];
	struct chain *chain_slots[EXCHANGE_SLOTS];
	struct outlet outlets[OUTLETS_MOST]; /* encode to server, and who wants their pictures */
	unsigned n_outlets;

	/* capture */
	struct camera *camera;
	struct lending lending; /* of its frames */
	struct life life;
	struct life search;         /* for a camera, while the pattern stands in for one */
	struct camera_status now;   /* what was published last */
	struct camera_config asked; /* config, in the format that was wished last */
	struct format_wish settled; /* the one before, to go back to */
	bool trying;                /* another format, which did not start yet */
	struct presence here;       /* what was announced last */
	uint64_t watched_ns;        /* when somebody last did, or the camera was opened */

	/* control */
	struct desk desk;
	uint64_t wish;                 /* the number of the last */
	bool waiting;                  /* the server, for it to be tried */
	struct process_config process; /* what the newest chain was made of */

	/* preview */
	struct kms *screen;                  /* NULL for none */
	char screen_fault[KMS_REASON_BYTES]; /* why there is none, as told last */
	uint64_t search_ns;                  /* when to look for one again */
	uint64_t shown_captured_ns;          /* of the frame that was shown last */
	bool drawing;                        /* what the screen cannot show as it is */

	/* encode */
	struct chain *chain;          /* the newest that was taken */
	struct jpeg_decoder *decoder; /* of the camera's own JPEGs, for filters and variants */
	struct slicer *slicers[OUTLETS_MOST];
	struct packet_pool pools[OUTLETS_MOST];
	unsigned turn; /* the variant to begin with, counted from 0 */
	struct log_limit bad_frames;
	uint32_t last_width, last_height;    /* of the last picture as it is, 0 before the first */
	const struct camera_status *trouble; /* the newest of troubles; NULL before the first */
	uint32_t filtering;                  /* counts changes of filters */
	struct packet *last;             /* the newest picture, for placeholders; NULL for none */
	struct placeholder *placeholder; /* of this outage; NULL until one is to be shown */
	uint64_t placeholder_due_ns;     /* the next one, while there is an outage */
	bool font_failed;                /* and that was said */

	/* main */
	pthread_t capture_thread, control_thread, encode_thread, preview_thread;
	bool capturing, controlling, encoding, previewing;
	const struct camera_status *told; /* the newest of news; NULL before the first */
};

/* The threads; each takes its struct pipeline. */
void *capture_loop(void *context);
void *control_loop(void *context);
void *encode_loop(void *context);
void *preview_loop(void *context);

/*
 * Encode what is shown of a frame, scaled down as the packet's variant asks, by outlet i's slicer.
 * Returns 0 or a negative errno.
 */
ON_ENCODE int encode_frame(struct pipeline *p, unsigned i, const struct frame *frame,
	struct packet *packet, bool piecemeal);

/* Publish a packet in outlet i. */
ON_ENCODE void publish_packet(struct pipeline *p, unsigned i, struct packet *packet);

/* ---- outage.c ---- */

/* When to show it again; UINT64_MAX where there is nothing to show, or nobody to see it. */
ON_ENCODE uint64_t outage_due_ns(const struct pipeline *p);

/* Hear how the camera is; if pictures are missed, publish a placeholder that says why. */
ON_ENCODE void outage_show(struct pipeline *p);

/* A picture has come: placeholders will be drawn upon it, until the next. */
ON_ENCODE void outage_remember(struct pipeline *p, struct packet *picture);

/* The last picture is not to be seen any more, as filters have changed; nor is what shows it. */
ON_ENCODE void outage_forget(struct pipeline *p);

#endif
