/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel types that the BPF programs touch, cut down to the fields that
 * they touch. Accesses are relocated when a program is loaded (CO-RE), so only
 * names and kinds must be right, not offsets, and no build needs the BTF of
 * its host. Written by hand from `bpftool btf dump file /sys/kernel/btf/vmlinux
 * format c`; `make vmlinux` checks every field here against the running kernel.
 */
#ifndef SWITCHGEAR_KERNEL_H
#define SWITCHGEAR_KERNEL_H

#include <linux/types.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct seq_file;

struct ns_common {
	unsigned int inum;
};

struct user_namespace {
	int level;
};

struct net {
	struct user_namespace *user_ns;
	__u64 net_cookie;
	struct ns_common ns;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct in6_addr {
	union {
		__u8 u6_addr8[16];
	} in6_u;
};

typedef struct {
	__s64 counter;
} atomic64_t;

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	unsigned char skc_ipv6only : 1;
	unsigned long skc_flags;
	int skc_bound_dev_if;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	atomic64_t skc_cookie; /* 0: nobody has asked for it */
};

struct kernfs_node {
	__u64 id;
};

struct cgroup;

struct cgroup_subsys_state {
	struct cgroup *cgroup;
	struct cgroup_subsys_state *parent;
};

struct cgroup {
	struct cgroup_subsys_state self;
	struct kernfs_node *kn;
	int level;
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

struct sock_cgroup_data {
	struct cgroup *cgroup;
};

struct sock {
	struct sock_common __sk_common;
	struct sock_cgroup_data sk_cgrp_data;
	int sk_err;
	__u16 sk_protocol;
	__u8 sk_shutdown;
};

struct ipv6_pinfo {
	__s16 hop_limit; /* a bit field before 6.8 */
};

struct inet_sock {
	__s16 uc_ttl;
	struct ipv6_pinfo *pinet6;
};

struct inet_connection_sock {
	__u32 icsk_user_timeout;
	__u8 icsk_syn_retries;
};

struct tcp_md5sig_info;

struct tcp_sock {
	struct tcp_md5sig_info *md5sig_info;
	__u32 rcv_nxt;
	__u32 snd_nxt;
	__u32 snd_una;
	__u32 srtt_us;
	_Bool is_mptcp;
};

struct udp_sock {
	__u16 len;
};

typedef struct {
	unsigned int val;
} kuid_t;

struct cred {
	kuid_t uid;
};

struct super_block {
	__u32 s_dev;
	unsigned long s_magic;
};

struct vfsmount {
	struct super_block *mnt_sb;
};

struct path {
	struct vfsmount *mnt;
};

struct fs_struct {
	struct path root;
};

struct task_struct {
	unsigned int flags;
	int tgid;
	struct cred *cred;
	char comm[16];
	struct css_set *cgroups;
	struct fs_struct *fs;
};

struct sockaddr;

struct bpf_sock_addr_kern {
	struct sockaddr *uaddr;
	__u32 uaddrlen; /* 6.7 */
};

struct inode {
	struct super_block *i_sb;
	unsigned long i_ino;
};

struct file {
	void *private_data; /* of a socket's: its struct socket */
	struct inode *f_inode;
};

struct socket {
	struct sock *sk;
};

struct bpf_iter_meta {
	struct seq_file *seq;
	__u64 session_id;
	__u64 seq_num;
};

struct bpf_iter__tcp {
	struct bpf_iter_meta *meta;
	struct sock_common *sk_common;
	__u32 uid;
};

struct bpf_iter__udp {
	struct bpf_iter_meta *meta;
	struct udp_sock *udp_sk;
	__u32 uid;
	int bucket;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
};

#pragma clang attribute pop

#endif
