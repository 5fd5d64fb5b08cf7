/*
 * A screen (DRM/KMS): shows frames by flipping a plane to the camera's own buffers, scaled and
 * centred where the hardware can. Where it cannot show a frame as it is, one is drawn on a canvas.
 *
 * A flip happens at the screen's next refresh; until then the frame before it is shown, and both
 * have to stay as they are. All calls of one screen are made by its preview thread.
 */
#ifndef FANLIGHT_KMS_H
#define FANLIGHT_KMS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/roles.h"
#include "base/stats.h"
#include "fanlight/frame.h"

#define KMS_REASON_BYTES 128

struct kms;

/*
 * Watch for screens that come and go: an fd that is readable when there are news for
 * kms_has_hotplugged(), the caller's to close, or a negative errno.
 */
ON_MAIN int kms_watch_hotplug(void);

/* Take the news. True when a screen may have come or gone. */
ON_PREVIEW bool kms_has_hotplugged(int watch_fd);

/*
 * Take a screen: the connector of a name ("HDMI-A-1"), or "on" for the first that is connected, in
 * the mode of a name ("1920x1080@60", "1920x1080") and in no other, or for "" in its preferred one,
 * black. Its console is back when it is closed.
 * Returns 0, or a negative errno with a sentence in reason: -ENOENT nothing is connected there;
 * -ESRCH it has no such mode; -EBUSY or -EACCES another program has it; whatever else the kernel
 * said.
 */
ON_PREVIEW int kms_open(const char *connector, const char *mode, struct kms **ret_kms,
	char reason[KMS_REASON_BYTES]);

/* Give it back. NULL is ignored. */
ON_PREVIEW void kms_close(struct kms *kms);

/* Whether it is still plugged in. */
ON_PREVIEW bool kms_is_connected(const struct kms *kms);

/* What it is, for the log; valid until it is closed. */
ON_PREVIEW const char *kms_name(const struct kms *kms);

/* Readable when kms_take_flip() has something to say. */
ON_PREVIEW int kms_poll_fd(const struct kms *kms);

/* Whether a flip is under way: then nothing else can be shown yet. */
ON_PREVIEW bool kms_is_busy(const struct kms *kms);

/*
 * Flip to a frame, without a copy. frame->loan tells its buffers apart until kms_forget().
 * Returns 0, -ENOTSUP where the hardware cannot show such frames, or another negative errno when the
 * screen is gone or another program has it.
 */
ON_PREVIEW int kms_show(struct kms *kms, const struct frame *frame);

/*
 * The last resort: draw the frame on a canvas and flip to that; what is written is added to
 * copied_bytes. Returns 0, -ENOTSUP where the format is not known, -EBADMSG where it is a broken JPEG,
 * or as kms_show().
 */
ON_PREVIEW int kms_draw(struct kms *kms, const struct frame *frame, stat_counter *copied_bytes);

/* Whether a flip has happened since the last time, and when (CLOCK_MONOTONIC). */
ON_PREVIEW bool kms_take_flip(struct kms *kms, uint64_t *ret_ns);

/* Show black and let go of all frames; the buffers to come are others. */
ON_PREVIEW void kms_forget(struct kms *kms);

#endif
