#include "process/document.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

ANY_THREAD static int answer(json_t *document, int err, char **ret_json)
{
	*ret_json = json_dumps(document, JSON_COMPACT | JSON_PRESERVE_ORDER);
	json_decref(document);
	return err;
}

int document_refuse(const char *sentence, const char *setting, int err, char **ret_json)
{
	json_t *document = json_pack("{s:s}", "error", sentence);

	if (setting)
		(void)json_object_set_new(document, "setting", json_string(setting));
	return answer(document, err, ret_json);
}

ANY_THREAD static int refuse(const char *sentence, const char *setting, char **ret_json)
{
	return document_refuse(sentence, setting, -EINVAL, ret_json);
}

ANY_THREAD static int describe(const struct process_config *config, char **ret_json)
{
	json_t *document = json_object();

	for (enum process_setting i = 0; i < PROCESS_SETTINGS; i++)
		(void)json_object_set_new(
			document, process_setting_name(i), json_string(config->texts[i]));
	return answer(document, 0, ret_json);
}

/* Set what a member of the patch says. Returns 0 or, refused, -EINVAL. */
ANY_THREAD static int change(
	struct process_config *config, const char *name, const json_t *value, char **ret_json)
{
	enum process_setting setting = process_find_setting(name);
	char sentence[512];

	if (setting == PROCESS_SETTINGS)
		return refuse("there is no such setting of filters", name, ret_json);
	if (!json_is_string(value))
		return refuse("the value is to be a string", name, ret_json);
	if (process_setting_is_fixed(setting) &&
		strcmp(json_string_value(value), config->texts[setting]) != 0)
		return refuse("only the settings file may change this", name, ret_json);
	if (!process_set(config, setting, json_string_value(value)))
		return 0;
	(void)snprintf(sentence, sizeof sentence, "this is not allowed; use %s",
		process_setting_allowed(setting));
	return refuse(sentence, name, ret_json);
}

int document_patch(struct process_config *config, const char *text, size_t bytes, char **ret_json)
{
	json_t *patch = bytes ? json_loadb(text, bytes, JSON_REJECT_DUPLICATES, NULL)
			      : json_object(),
	       *value;
	struct process_config changed = *config;
	const char *name;
	int err = 0;

	if (!json_is_object(patch)) {
		json_decref(patch);
		return refuse("this is no JSON object", NULL, ret_json);
	}
	json_object_foreach(patch, name, value)
	{
		err = change(&changed, name, value, ret_json);
		if (err < 0)
			break;
	}
	json_decref(patch);
	if (err < 0)
		return err;
	*config = changed;
	return describe(config, ret_json);
}
