#include "commands.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bsd/readpassphrase.h>

#include "server/accounts.h"
#include "server/signature.h"
#include "settings.h"

#define ACCOUNT_USAGE "use fanlight %s [--view] FILE NAME\n"
#define SIGN_USAGE    "use fanlight sign [OPTION...] --for 30m|12h|7d URL\n"

#define YEAR_S (366u * 24 * 60 * 60)

/* Take --view out of the arguments, which are FILE and NAME. */
ON_MAIN static bool parse_account(int argc, char **argv, const char *operands[2], enum right *right)
{
	int n = 0;

	*right = RIGHT_CONTROL;
	for (int i = 2; i < argc; i++) {
		if (!strcmp(argv[i], "--view"))
			*right = RIGHT_VIEW;
		else if (*argv[i] == '-' || n == 2)
			return false;
		else
			operands[n++] = argv[i];
	}
	return n == 2;
}

/* From the terminal, twice and unseen, or a line of standard input. */
ON_MAIN static bool read_password(char password[ACCOUNT_SECRET_BYTES + 1])
{
	char again[ACCOUNT_SECRET_BYTES + 1] = "";
	bool good;

	if (!isatty(STDIN_FILENO)) {
		good = fgets(password, ACCOUNT_SECRET_BYTES + 1, stdin);
		if (good)
			password[strcspn(password, "\r\n")] = '\0';
		else
			fputs("there is no password on the standard input\n", stderr);
		return good;
	}
	good = readpassphrase("Password: ", password, ACCOUNT_SECRET_BYTES + 1, RPP_REQUIRE_TTY) &&
	       readpassphrase("Again: ", again, sizeof again, RPP_REQUIRE_TTY);
	if (good && strcmp(password, again) != 0) {
		fputs("these are two passwords; nothing is changed\n", stderr);
		good = false;
	}
	explicit_bzero(again, sizeof again);
	return good;
}

ON_MAIN static int run_account(int argc, char **argv)
{
	char password[ACCOUNT_SECRET_BYTES + 1] = "", token[ACCOUNT_TOKEN_BYTES];
	char reason[ACCOUNTS_REASON_BYTES];
	bool wants_password = !strcmp(argv[1], "passwd");
	const char *operands[2];
	enum right right;
	int err;

	if (!parse_account(argc, argv, operands, &right)) {
		fprintf(stderr, ACCOUNT_USAGE, argv[1]);
		return EXIT_FAILURE;
	}
	if (wants_password && !read_password(password))
		return EXIT_FAILURE;
	err = accounts_put(
		operands[0], operands[1], right, wants_password ? password : NULL, token, reason);
	explicit_bzero(password, sizeof password);
	if (err < 0) {
		fprintf(stderr, "%s\n", reason);
		return EXIT_FAILURE;
	}
	if (!wants_password)
		puts(token);
	return EXIT_SUCCESS;
}

/* "30m" in seconds, up to a year; 0 for what is none. */
ON_MAIN static uint64_t parse_duration(const char *text)
{
	static const struct {
		char unit;
		uint64_t seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || number > YEAR_S || !*end || end[1])
		return 0;
	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (*end == units[i].unit && number * units[i].seconds <= YEAR_S)
			return number * units[i].seconds;
	return 0;
}

/* What is left of the arguments are settings, of which it needs the state-dir. */
ON_MAIN static int run_sign(int argc, char **argv)
{
	static struct settings settings;
	enum settings_action action;
	uint8_t key[SIGNATURE_KEY_BYTES];
	char signed_address[SIGNATURE_ADDRESS_BYTES], reason[SIGNATURE_REASON_BYTES];
	const char *address = argv[argc - 1];
	uint64_t seconds = 0;
	int n = 1, err;

	for (int i = 2; i < argc - 1; i++) {
		if (!strcmp(argv[i], "--for") && i < argc - 2)
			seconds = parse_duration(argv[++i]);
		else
			argv[n++] = argv[i];
	}
	argv[n] = NULL;
	if (!seconds || argc < 5) {
		fputs(SIGN_USAGE, stderr);
		return EXIT_FAILURE;
	}
	if (settings_load(n, argv, &settings, &action, stderr) < 0)
		return EXIT_FAILURE;
	err = signature_load_key(settings.server.state_dir, key, reason);
	if (err < 0) {
		fprintf(stderr, "%s\n", reason);
		return EXIT_FAILURE;
	}
	if (signature_sign(key, address, (uint64_t)time(NULL) + seconds, signed_address) < 0) {
		fputs("this address cannot be signed; use one such as "
		      "https://camera.local:8443/stream\n",
			stderr);
		return EXIT_FAILURE;
	}
	puts(signed_address);
	return EXIT_SUCCESS;
}

bool command_run(int argc, char **argv, int *ret_code)
{
	const char *name = argc > 1 ? argv[1] : "";

	if (!strcmp(name, "passwd") || !strcmp(name, "token"))
		*ret_code = run_account(argc, argv);
	else if (!strcmp(name, "sign"))
		*ret_code = run_sign(argc, argv);
	else
		return false;
	if (fflush(stdout))
		*ret_code = EXIT_FAILURE;
	return true;
}
