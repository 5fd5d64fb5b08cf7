#include "base/jpeg_errors.h"

static void give_up(j_common_ptr libjpeg)
{
	/* The manager is the first that the errors have. */
	struct jpeg_errors *errors = (struct jpeg_errors *)libjpeg->err;

	longjmp(errors->failure, 1);
}

static void say_nothing(j_common_ptr libjpeg, int level)
{
	(void)libjpeg;
	(void)level;
}

struct jpeg_error_mgr *jpeg_errors_init(struct jpeg_errors *errors)
{
	(void)jpeg_std_error(&errors->manager);
	errors->manager.error_exit = give_up;
	errors->manager.emit_message = say_nothing;
	return &errors->manager;
}
