/*
 * Thread roles: which thread a function runs on and a field belongs to.
 *
 * A role is a capability of clang's thread-safety analysis, taken by a thread as its first act and
 * held until it ends: calling an ON_ENCODE function from the server thread does not compile under
 * clang -Wthread-safety -Werror. gcc sees nothing of it. Several threads may play one role, one
 * for each camera.
 */
#ifndef FANLIGHT_ROLES_H
#define FANLIGHT_ROLES_H

#if defined(__clang__)
#define THREAD_SAFETY(x) __attribute__((x))
#else
#define THREAD_SAFETY(x)
#endif

struct THREAD_SAFETY(capability("role")) thread_role {
	const char *name;
};

extern struct thread_role role_main, role_capture, role_encode, role_server, role_login,
	role_control, role_preview;

#define ON_MAIN    THREAD_SAFETY(requires_capability(role_main))
#define ON_CAPTURE THREAD_SAFETY(requires_capability(role_capture))
#define ON_ENCODE  THREAD_SAFETY(requires_capability(role_encode))
#define ON_SERVER  THREAD_SAFETY(requires_capability(role_server))
#define ON_LOGIN   THREAD_SAFETY(requires_capability(role_login))
#define ON_CONTROL THREAD_SAFETY(requires_capability(role_control))
#define ON_PREVIEW THREAD_SAFETY(requires_capability(role_preview))
#define ANY_THREAD

/*
 * Take a role: name the calling thread "role" or "role:detail" (cut to 15 characters) and block
 * the signals that main waits for. detail may be NULL. The main thread keeps its name.
 */
ANY_THREAD void role_take(struct thread_role *role, const char *detail)
	THREAD_SAFETY(assert_capability(*role));

#endif
