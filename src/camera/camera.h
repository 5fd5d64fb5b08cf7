/*
 * A camera: whatever delivers frames. V4L2 devices, the test pattern and replayed files stand
 * behind this one interface.
 *
 * A camera owns a few buffers. camera_borrow() lends the newest filled one; the borrower may hold
 * several loans at once (at most CAMERA_LOANS) and gives each back with camera_return(), in any
 * order. All calls of one camera are made by its capture thread.
 */
#ifndef FANLIGHT_CAMERA_H
#define FANLIGHT_CAMERA_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/roles.h"
#include "base/stats.h"
#include "exchange/status.h"
#include "fanlight/frame.h"

/* Loans that the pipeline can hold at once; three without a preview (exchange/lending.h). */
#define CAMERA_LOANS 5

/* Room for the sentence that says why a call failed and what to do. */
#define CAMERA_REASON_BYTES 192

#define CAMERA_CONTROLS_MAX 32

/* Where a V4L2 device's buffers come from: the driver, or from elsewhere as dma-bufs. */
enum camera_memory {
	CAMERA_MEMORY_AUTO,
	CAMERA_MEMORY_MMAP,    /* the driver's own, exported */
	CAMERA_MEMORY_DRM,     /* a screen's dumb buffers */
	CAMERA_MEMORY_HEAP,    /* a DMA heap's */
	CAMERA_MEMORY_UDMABUF, /* pages of ours */
};

struct camera_control_setting {
	char name[32]; /* as v4l2-ctl spells it: brightness, exposure_time_absolute */
	int64_t value;
};

/* What is asked of a camera; zero and "" leave the choice to it. */
struct camera_config {
	char name[32];    /* for logs, threads and URLs */
	char source[256]; /* auto, pattern, PATH, or name: bus: v4l2: replay: and what it names */
	uint32_t width, height;    /* pixels */
	double fps;                /* frames per second */
	uint32_t fourcc;           /* V4L2_PIX_FMT_* */
	char input[32];            /* name or number */
	char standard[16];         /* PAL, NTSC, SECAM or one of their variants */
	char edid[256];            /* a file, for HDMI inputs */
	enum camera_memory memory; /* the driver's own where what is asked for does not serve */
	char preview[32];          /* a connector of a screen's, "on" for the first, "" for none */
	char preview_mode[20]; /* of that screen: 1920x1080@60, 1920x1080, "" for its own choice */
	struct camera_control_setting controls[CAMERA_CONTROLS_MAX];
	uint32_t n_controls;
};

struct camera;

/*
 * Look at a configuration before any thread starts, without opening anything for good: is it a
 * source that waiting cannot bring (a missing file, no permission, a name that is none)?
 * Returns 0 or a negative errno with a sentence in reason. A device node that is not there is no
 * error: it may yet be plugged in. "auto" is always fine.
 */
ON_MAIN int camera_check(const struct camera_config *config, char reason[CAMERA_REASON_BYTES]);

/*
 * Watch for devices that come: an fd that is readable when there are news for
 * camera_has_arrived(), the caller's to close, or a negative errno.
 */
ON_MAIN int camera_watch_arrivals(void);

/* Take the news. True when a camera may have come or become usable; then try to open it. */
ON_CAPTURE bool camera_has_arrived(int watch_fd);

/* Whether there is a camera that "auto" would take. */
ON_CAPTURE bool camera_is_found(void);

/*
 * Open a camera and settle its format. config and stats live as long as the camera does; stats is
 * counted into by capture (the "capture" group of struct camera_stats, except opened and lost).
 * "auto" stands for the pattern only while stats->opened is 0, and the pattern then stands in until
 * camera_is_found(): a camera that is lost is waited for.
 * Returns 0, or a negative errno with one sentence in reason that says what is wrong and what to
 * do: -ENOENT nothing is there until camera_has_arrived(); -ENODEV, -ENXIO gone; -EACCES; -EBUSY
 * another program has it; -EINVAL it cannot do what is asked; whatever else the kernel said.
 * *ret_camera is written only on success, or when the signal is missing: -ENOLINK there is none,
 * -ENOLCK one that is not stable, -ERANGE one that the device cannot take. Such a camera holds no
 * memory and can only be closed, best when its camera_poll_fd() is readable (-1 where the device
 * does not tell), for the signal may be back then.
 */
ON_CAPTURE int camera_open(const struct camera_config *config, struct camera_stats *stats,
	struct camera **ret_camera, char reason[CAMERA_REASON_BYTES]);

/* Begin to deliver frames. Returns 0 or a negative errno. */
ON_CAPTURE int camera_start(struct camera *camera);

/*
 * An fd that is readable when camera_borrow() has something to say; -1 when not started. It may be
 * another one after each start.
 */
ON_CAPTURE int camera_poll_fd(const struct camera *camera);

/*
 * Borrow the newest complete frame; older ones that are ready go back to the driver at once and
 * are counted. Never blocks, never allocates.
 * Returns 0, -EAGAIN (none ready), or another negative errno: -ENODEV gone; -ESTALE the pictures to
 * come have another shape; -ENOLINK, -ENOLCK, -ERANGE as from camera_open(); -EPIPE the
 * device has ended the stream; else it is broken. Whichever it is, stop and close the camera;
 * *ret_frame is written only on success.
 */
ON_CAPTURE int camera_borrow(struct camera *camera, struct frame *ret_frame);

/*
 * Give a loan back; the buffer is filled anew from then on. frame must be one that is on loan.
 * Returns 0 or a negative errno (the camera is gone; the loan is settled all the same).
 */
ON_CAPTURE int camera_return(struct camera *camera, const struct frame *frame);

/* Stop delivering. Loans stay readable until camera_close(); returning them is harmless. */
ON_CAPTURE void camera_stop(struct camera *camera);

/* Unmap and close everything. No loan may be out. NULL is ignored. */
ON_CAPTURE void camera_close(struct camera *camera);

/* What the camera is and really delivers; valid from open to close. */
ON_CAPTURE void camera_describe(const struct camera *camera, struct camera_info *ret_info);

/*
 * Print the cameras of this machine: path, card, driver, bus, then formats with sizes and rates.
 * Returns how many there are, or a negative errno.
 */
ON_MAIN int camera_list(FILE *out);

#endif
