/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a load balancer for services does: in a cgroup it sends connects to one address
 * to another one, until it is killed.
 */
#include <linux/bpf.h>
#include <sys/syscall.h>

#include "util.h"

static const char usage[] =
	"usage: rewrite --cgroup DIR --from ADDR:PORT --to ADDR:PORT [--name NAME]   IPv4 only\n"
	"Prints \"ready\", and waits for a signal. NAME is the program's in the kernel.\n"
	"Exit status: 1 failed, 2 usage.\n";

static int bpf(enum bpf_cmd cmd, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

static void parse(const char *text, uint32_t *ret_addr, uint32_t *ret_port)
{
	char address[16];
	struct in_addr a;
	unsigned int port;

	if (sscanf(text, "%15[^:]:%u", address, &port) != 2 || !inet_aton(address, &a) ||
	    port > UINT16_MAX) {
		fputs(usage, stderr);
		exit(2);
	}
	*ret_addr = a.s_addr;
	*ret_port = htons((uint16_t)port);
}

#define CTX(member) offsetof(struct bpf_sock_addr, member)
#define LOAD(reg, member)                                                        \
	{                                                                        \
		.code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = reg, .src_reg = 6, \
		.off = CTX(member)                                               \
	}
#define STORE(member, reg)                                                       \
	{                                                                        \
		.code = BPF_STX | BPF_MEM | BPF_W, .dst_reg = 6, .src_reg = reg, \
		.off = CTX(member)                                               \
	}
#define SET32(reg, value)                                                                  \
	{                                                                                  \
		.code = BPF_ALU | BPF_MOV | BPF_K, .dst_reg = reg, .imm = (int32_t)(value) \
	}
/* Over `n` instructions unless it is the value in register 3. */
#define UNLESS_SKIP(reg, n)                                                               \
	{                                                                                 \
		.code = BPF_JMP | BPF_JNE | BPF_X, .dst_reg = reg, .src_reg = 3, .off = n \
	}

static int load(const char *from, const char *to, const char *name)
{
	uint32_t addr[2];
	uint32_t port[2];
	char log[4096] = "";
	union bpf_attr a = { 0 };
	int fd;

	parse(from, &addr[0], &port[0]);
	parse(to, &addr[1], &port[1]);
	struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 6, .src_reg = 1 },
		LOAD(2, user_ip4),
		SET32(3, addr[0]),
		UNLESS_SKIP(2, 7),
		LOAD(2, user_port),
		SET32(3, port[0]),
		UNLESS_SKIP(2, 4),
		SET32(2, addr[1]),
		STORE(user_ip4, 2),
		SET32(2, port[1]),
		STORE(user_port, 2),
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 1 },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	a.prog_type = BPF_PROG_TYPE_CGROUP_SOCK_ADDR;
	a.expected_attach_type = BPF_CGROUP_INET4_CONNECT;
	a.insns = (uint64_t)(uintptr_t)insns;
	a.insn_cnt = sizeof(insns) / sizeof(insns[0]);
	a.license = (uint64_t)(uintptr_t) "GPL";
	a.log_buf = (uint64_t)(uintptr_t)log;
	a.log_size = sizeof(log);
	a.log_level = 1;
	snprintf(a.prog_name, sizeof(a.prog_name), "%s", name);
	fd = bpf(BPF_PROG_LOAD, &a);
	if (fd < 0)
		die("cannot load: %s\n%s", strerror(errno), log);
	return fd;
}

int main(int argc, char **argv)
{
	const char *cgroup = NULL;
	const char *from = NULL;
	const char *to = NULL;
	const char *name = "svc_connect4";
	union bpf_attr a = { 0 };

	for (int i = 1; i + 1 < argc; i += 2) {
		if (!strcmp(argv[i], "--cgroup"))
			cgroup = argv[i + 1];
		else if (!strcmp(argv[i], "--from"))
			from = argv[i + 1];
		else if (!strcmp(argv[i], "--to"))
			to = argv[i + 1];
		else if (!strcmp(argv[i], "--name"))
			name = argv[i + 1];
	}
	if (!cgroup || !from || !to) {
		fputs(usage, stderr);
		return 2;
	}
	/* before 5.11 programs count as locked memory */
	setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){ RLIM_INFINITY, RLIM_INFINITY });
	a.link_create.prog_fd = (uint32_t)load(from, to, name);
	a.link_create.target_fd = (uint32_t)open(cgroup, O_RDONLY | O_DIRECTORY);
	a.link_create.attach_type = BPF_CGROUP_INET4_CONNECT;
	if (bpf(BPF_LINK_CREATE, &a) < 0)
		die("cannot attach to %s: %s", cgroup, strerror(errno));
	puts("ready");
	fflush(stdout);
	pause();
	return 0;
}
