/* What is asked of a camera's control thread, one thing at a time, and what it answers to each. */
#ifndef FANLIGHT_EXCHANGE_CONTROLS_H
#define FANLIGHT_EXCHANGE_CONTROLS_H

#include <stddef.h>

#define CONTROL_REQUEST_BYTES 8192

enum control_subject { CONTROL_CAMERA, CONTROL_FILTERS };

struct control_request {
	enum control_subject subject;
	size_t bytes; /* of the patch; 0 asks how things are */
	char text[CONTROL_REQUEST_BYTES];
};

struct control_answer {
	int err;    /* 0, -EINVAL bad request, -ENODEV camera away, else the camera refuses */
	char *json; /* the reader's to free; NULL when there was no memory */
};

#endif
