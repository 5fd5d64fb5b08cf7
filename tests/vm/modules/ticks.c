/*
 * vkms's CRTC, whose timer is not waited for with locks held that the timer itself waits for: that is
 * how a kernel hangs when it switches vblanks off at the wrong moment. A timer that is too late to
 * cancel ends by itself; that it has ended is waited for once the locks are free.
 */
#include <linux/hrtimer.h>
#include <drm/drm_vblank.h>

#include "vkms_drv.h"

static enum hrtimer_restart tick(struct hrtimer *timer);

/* Once: it may run still. */
static void init_timer(struct hrtimer *timer, clockid_t clock, enum hrtimer_mode mode)
{
	if (!timer->function)
		hrtimer_init(timer, clock, mode);
}

static void start_timer(struct hrtimer *timer, ktime_t time, enum hrtimer_mode mode)
{
	timer->function = tick;
	hrtimer_start(timer, time, mode);
}

static void end_vblanks(struct drm_crtc *crtc)
{
	struct hrtimer *timer = &drm_crtc_to_vkms_output(crtc)->vblank_hrtimer;

	drm_crtc_vblank_off(crtc);
	if (timer->function)
		hrtimer_cancel(timer);
}

#define hrtimer_init        init_timer
#define hrtimer_start       start_timer
#define hrtimer_cancel      hrtimer_try_to_cancel
#define drm_crtc_vblank_off end_vblanks
#include "vkms_crtc.c"

static enum hrtimer_restart tick(struct hrtimer *timer)
{
	struct vkms_output *output = container_of(timer, struct vkms_output, vblank_hrtimer);

	if (!READ_ONCE(output->crtc.dev->vblank[drm_crtc_index(&output->crtc)].enabled))
		return HRTIMER_NORESTART;
	return vkms_vblank_simulate(timer);
}
