#include "encode/quiet.h"

static void be_silent(j_common_ptr libjpeg)
{
	(void)libjpeg;
}

static void ignore_message(j_common_ptr libjpeg, int level)
{
	(void)libjpeg;
	(void)level;
}

struct jpeg_error_mgr *quiet_errors(
	struct jpeg_error_mgr *errors, void (*fail)(j_common_ptr libjpeg))
{
	(void)jpeg_std_error(errors);
	errors->error_exit = fail;
	errors->output_message = be_silent;
	errors->emit_message = ignore_message;
	return errors;
}
