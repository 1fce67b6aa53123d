# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# `make help` lists the targets. Everything is built under build/.
# Which layer may use which is said once, in LAYER_USES, and enforced three
# times: by staged include directories that hold nothing else, by headers that
# poison the libraries a layer must not know, and by `make layers` (symbols).

MAKEFLAGS += --no-builtin-rules --no-builtin-variables
# As many jobs as there are processors, unless -j says otherwise.
ifeq ($(MAKELEVEL)$(filter -j% --jobs%,$(MAKEFLAGS)),0)
MAKEFLAGS += -j$(shell nproc 2>/dev/null || echo 1)
endif
.DELETE_ON_ERROR:
.SUFFIXES:
.SECONDARY:
.DEFAULT_GOAL := all
SHELL := /bin/sh

VERSION := 0.1.0
B ?= build
# Where BPF objects and the skeleton are: sanitizer builds share them.
G ?= $(B)
V ?= 0
WERROR ?= 1
SAN ?= 0
CC := $(if $(filter default undefined,$(origin CC)),gcc,$(CC))
CLANG ?= clang
AR := $(if $(filter default undefined,$(origin AR)),ar,$(AR))
NM ?= nm
CLANG_FORMAT ?= clang-format
CLANG_TIDY ?= clang-tidy
PKG_CONFIG ?= pkg-config
INSTALL ?= install
PREFIX ?= /usr/local
DESTDIR ?=
UNITDIR ?= $(PREFIX)/lib/systemd/system
LIBEXEC ?= $(PREFIX)/libexec/switchgear
SYSUSERS ?= $(PREFIX)/lib/sysusers.d/switchgear.conf
# Where root's PATH is an ordinary user's (su), the system's tools are missing.
export PATH := $(PATH):/usr/local/sbin:/usr/sbin:/sbin

# What is asked of tools is asked once, when it is first needed: `make deps demo`
# begins on a host without them.
once = $(eval $(1) := $(2))$($(1))
# Ubuntu's /usr/sbin/bpftool refuses to run without the tools of the running kernel.
BPFTOOL ?= $(call once,BPFTOOL,$(firstword $(lastword $(sort $(wildcard /usr/lib/linux-tools*/*/bpftool))) \
	$(shell PATH='$(PATH)' sh -c 'command -v bpftool') bpftool))
JSON_CFLAGS = $(call once,JSON_CFLAGS,$(shell $(PKG_CONFIG) --cflags json-c 2>/dev/null))
NET_CFLAGS = $(call once,NET_CFLAGS,$(shell $(PKG_CONFIG) --cflags libcurl libseccomp 2>/dev/null))
HTTP_CFLAGS = $(call once,HTTP_CFLAGS,$(shell $(PKG_CONFIG) --cflags libmicrohttpd 2>/dev/null))
MULTIARCH = $(call once,MULTIARCH,$(shell $(CC) -print-multiarch 2>/dev/null))

ifeq ($(V),0)
Q := @
say = @printf '  %-8s %s\n' '$(1)' '$(2)';
else
Q :=
say =
endif

# --- what there is ----------------------------------------------------------

LAYERS := base core codec sim io sandbox worker relay dataplane daemon modules cli
LAYER_USES_base :=
LAYER_USES_core := base
LAYER_USES_codec := base core
LAYER_USES_sim := base core codec
LAYER_USES_io := base core codec
LAYER_USES_sandbox := base
LAYER_USES_worker := base core codec io sandbox
LAYER_USES_relay := base core codec io sandbox
LAYER_USES_dataplane := base core
LAYER_USES_daemon := base core codec io dataplane
LAYER_USES_modules := base core codec io dataplane daemon
LAYER_USES_cli := base core codec sim
HEADER_LAYERS := $(filter-out base sandbox,$(LAYERS)) # these know libc and nothing else

BPF_SRC := $(sort $(wildcard bpf/*.bpf.c))
BPF_OBJ := $(BPF_SRC:bpf/%.c=$(G)/bpf/%.o)
TEST_BPF_SRC := $(sort $(wildcard tests/*/*.bpf.c))
TEST_BPF_OBJ := $(TEST_BPF_SRC:tests/%.c=$(G)/tests/%.o)
SKEL := $(if $(BPF_SRC),$(G)/gen/switchgear.skel.h)
SKEL_USERS := $(wildcard user/dataplane/*.c)

src = $(sort $(wildcard user/$(1)/*.c))
obj = $(patsubst %.c,$(B)/obj/%.o,$(call src,$(1)))
part = $(filter-out %/main.o,$(call obj,$(1)))
lib = $(if $(call part,$(1)),$(B)/lib$(1).a)
libs = $(foreach l,$(1),$(call lib,$(l)))
USER_SRC := $(foreach l,$(LAYERS),$(call src,$(l)))
USER_OBJ := $(USER_SRC:%.c=$(B)/obj/%.o)

DAEMON := $(if $(wildcard user/modules/main.c),$(B)/switchgeard)
WORKER := $(if $(wildcard user/worker/main.c),$(B)/switchgear-worker)
RELAY := $(if $(wildcard user/relay/main.c),$(B)/switchgear-relay)
CLI := $(if $(wildcard user/cli/main.c),$(B)/switchgear)
TOOLS := $(patsubst tests/tools/%.c,$(B)/tools/%,$(sort $(wildcard tests/tools/*.c)))

# Test programs are the files with a main; other .c files beside them are linked
# into each of them.
with_main = $(if $(1),$(sort $(shell grep -l '^int main\>' $(1))))
TEST_LAYERS := headers $(LAYERS)
unit_src = $(sort $(wildcard tests/unit/$(1)/*.c))
unit_bin = $(patsubst tests/%.c,$(B)/tests/%,$(call with_main,$(call unit_src,$(1))))
UNIT_BIN := $(foreach l,$(TEST_LAYERS),$(call unit_bin,$(l)))
BPFTEST_SRC := $(sort $(filter-out %.bpf.c,$(wildcard tests/bpf/*.c)))
BPFTEST_MAIN := $(call with_main,$(BPFTEST_SRC))
BPFTEST_BIN := $(patsubst tests/bpf/%.c,$(B)/tests/bpf_%,$(subst /test_,/,$(BPFTEST_MAIN)))
BENCH_MAIN := $(call with_main,$(sort $(filter-out %.bpf.c,$(wildcard tests/bench/*.c))))
BENCH_BIN := $(patsubst tests/bench/%.c,$(B)/tests/bench_%,$(BENCH_MAIN))

# --- flags ------------------------------------------------------------------

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wwrite-strings \
	-Wformat=2 -Wundef -Wimplicit-fallthrough -fno-common $(if $(filter 1,$(WERROR)),-Werror)
HARDEN := -fPIE -fstack-protector-strong -fstack-clash-protection
OPTIMISE := -O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
LDHARDEN := -pie -Wl,-z,relro,-z,now -Wl,--as-needed
ifeq ($(SAN),1)
OPTIMISE := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
LDHARDEN := -pie -fsanitize=address,undefined
endif
DEFINES := -D_GNU_SOURCE -DSWITCHGEAR_VERSION='"$(VERSION)"' -DSWITCHGEAR_LIBEXEC='"$(LIBEXEC)"'
# CFLAGS and LDFLAGS are the packager's; they come last.
ALL_CFLAGS = -std=gnu17 -g $(WARN) $(HARDEN) $(OPTIMISE) $(DEFINES) -MMD -MP

INC := $(B)/include
poison = $(foreach p,$(1),-I$(INC)/poison-$(p))
layer_inc = -I$(INC)/$(1) $(if $(filter $(1),$(HEADER_LAYERS)),-Iheaders)
LAYER_CFLAGS_base := $(call poison,bpf json http net)
LAYER_CFLAGS_core := $(call poison,bpf json http net)
LAYER_CFLAGS_codec = $(call poison,bpf http net) $(JSON_CFLAGS)
LAYER_CFLAGS_sim = $(call poison,bpf http net) $(JSON_CFLAGS)
LAYER_CFLAGS_io = $(call poison,bpf json net) $(HTTP_CFLAGS)
LAYER_CFLAGS_sandbox = $(call poison,bpf json http) $(NET_CFLAGS)
LAYER_CFLAGS_worker = $(call poison,bpf json http) $(NET_CFLAGS)
LAYER_CFLAGS_relay := $(call poison,bpf json http net)
LAYER_CFLAGS_dataplane = $(call poison,json http net) -I$(G)/gen
LAYER_CFLAGS_daemon := $(call poison,bpf json http net)
LAYER_CFLAGS_modules := $(call poison,bpf json http net)
LAYER_CFLAGS_cli := $(call poison,bpf json http net)

LIBS_daemon := -lbpf -lelf -lz -lmicrohttpd -lsodium -lsqlite3 -ljson-c -lm
LIBS_cli := -lsodium -ljson-c -lm
LIBS_worker := -lcurl -lseccomp -lsodium -ljson-c -lm
LIBS_relay := -lseccomp -lsodium -ljson-c -lm
LIBS_test_headers := -lm
LIBS_test_base := -lm
# The other parser in test_libhtp and test_http1_libhtp, which say so where there is none.
LIBS_test_core = $(call once,HTP_LIBS,$(shell $(PKG_CONFIG) --libs htp 2>/dev/null)) -lm
LIBS_test_codec = -lsodium -ljson-c $(LIBS_test_core)
LIBS_test_sim := $(LIBS_cli)
LIBS_test_io := -lmicrohttpd -lsodium -lsqlite3 -ljson-c -lm
LIBS_test_sandbox := -lseccomp
LIBS_test_worker := $(LIBS_worker)
LIBS_test_relay := $(LIBS_relay)
LIBS_test_dataplane := -lbpf -lelf -lz -lm
LIBS_test_daemon := $(LIBS_daemon)
LIBS_test_modules := $(LIBS_daemon)
LIBS_test_cli := $(LIBS_cli)
PARTS_headers := core base
PARTS_base := base
PARTS_core := core base
PARTS_codec := codec core base
PARTS_sim := sim codec core base
PARTS_io := io codec core base
PARTS_sandbox := sandbox base
PARTS_worker := worker sandbox io codec core base
PARTS_relay := relay sandbox io codec core base
PARTS_dataplane := dataplane core base
PARTS_daemon := modules daemon io dataplane codec core base
PARTS_modules := modules daemon io dataplane codec core base
PARTS_cli := cli sim codec core base
# Tests see every layer, and the sources' own directories for static parts.
TEST_CFLAGS = -Iuser -Iheaders -Itests -I$(G)/gen $(JSON_CFLAGS) -Werror=unused-function

BPF_ARCH := $(patsubst aarch64,arm64,$(patsubst x86_64,x86,$(shell uname -m)))
# Blocks stay in the order of the source: rotated ones fall through backwards into the
# head of a loop, which the verifier refuses before 6.7 ("back-edge"). A switch that
# becomes a table makes a .rodata without variables, which 5.10 refuses to know of.
BPF_CFLAGS = -target bpf -O2 -mllvm -disable-block-placement -fno-jump-tables -g -mcpu=v2 -std=gnu17 -Wall -Wextra $(if $(filter 1,$(WERROR)),-Werror) \
	-D__TARGET_ARCH_$(BPF_ARCH) -Ivmlinux -Iheaders -Ibpf \
	$(if $(MULTIARCH),-idirafter /usr/include/$(MULTIARCH)) -MMD -MP

# --- all --------------------------------------------------------------------

.PHONY: all
all: $(SKEL) $(TEST_BPF_OBJ) $(foreach l,$(LAYERS),$(call lib,$(l))) $(DAEMON) $(WORKER) $(RELAY) $(CLI) $(TOOLS) layers ## Build everything (the default)

# Objects are rebuilt when the way they are compiled changes.
C_FLAGS_TEXT = $(CC) $(CFLAGS) $(LDFLAGS) $(ALL_CFLAGS)
BPF_FLAGS_TEXT = $(CLANG) $(BPF_CFLAGS)
write_if_new = @mkdir -p $(@D); printf '%s\n' '$(subst ','\'',$(1))' >$@.new; \
	if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi
$(B)/have: mk/have Makefile
	@mkdir -p $(@D)
	@mk/have $(CC) $(AR) $(NM) $(CLANG) $(BPFTOOL) $(PKG_CONFIG) -- libbpf libelf zlib json-c libmicrohttpd libcurl libseccomp libsodium sqlite3
	@touch $@
$(B)/flags: FORCE | $(B)/have
	$(call write_if_new,$(C_FLAGS_TEXT))
$(G)/bpf.flags: FORCE | $(B)/have
	$(call write_if_new,$(BPF_FLAGS_TEXT))
.PHONY: FORCE
FORCE:

# --- staged includes --------------------------------------------------------

# $(INC)/core holds links to user/base and user/core, and so on.
$(INC)/stamp: Makefile
	$(Q)rm -rf $(INC) && mkdir -p $(INC)/poison-bpf/bpf $(INC)/poison-json/json-c $(INC)/poison-http $(INC)/poison-net/curl
	$(Q)$(foreach l,$(LAYERS),mkdir $(INC)/$(l) && \
		for d in $(LAYER_USES_$(l)) $(l); do \
			ln -s $(abspath user)/$$d $(INC)/$(l)/$$d || exit 1; done && ) :
	$(Q)for h in bpf.h libbpf.h btf.h; do \
		echo '#error "libbpf belongs in user/dataplane only"' >$(INC)/poison-bpf/bpf/$$h; done
	$(Q)echo '#error "the skeleton belongs in user/dataplane only"' >$(INC)/poison-bpf/switchgear.skel.h
	$(Q)for h in json.h json_object.h json_tokener.h; do \
		echo '#error "json-c belongs in user/codec only"' >$(INC)/poison-json/json-c/$$h; done
	$(Q)echo '#error "libmicrohttpd belongs in user/io only"' >$(INC)/poison-http/microhttpd.h
	$(Q)for h in curl/curl.h seccomp.h; do \
		echo '#error "libcurl belongs in user/worker, libseccomp in user/sandbox only"' >$(INC)/poison-net/$$h; done
	$(Q)touch $@

# --- BPF --------------------------------------------------------------------

$(G)/bpf/%.bpf.o: bpf/%.bpf.c Makefile $(G)/bpf.flags
	@mkdir -p $(@D)
	$(call say,BPF,$<) $(CLANG) $(BPF_CFLAGS) -c $< -o $@

$(G)/tests/%.bpf.o: tests/%.bpf.c Makefile $(G)/bpf.flags
	@mkdir -p $(@D)
	$(call say,BPF,$<) $(CLANG) $(BPF_CFLAGS) -c $< -o $@

# What older kernels refuse comes first: a load that fails is to fail early.
RECENT_BPF = $(G)/bpf/watch.bpf.o $(G)/bpf/sock.bpf.o $(G)/bpf/iter.bpf.o $(G)/bpf/unix.bpf.o
$(G)/bpf/switchgear.bpf.o: $(filter-out $(G)/bpf/switchgear.bpf.o,$(BPF_OBJ))
	$(call say,BPFLD,$@) $(BPFTOOL) gen object $@ $(filter $(RECENT_BPF),$^) $(sort $(filter-out $(RECENT_BPF),$^))

$(G)/gen/switchgear.skel.h: $(G)/bpf/switchgear.bpf.o
	@mkdir -p $(@D)
	$(call say,SKEL,$@) $(BPFTOOL) gen skeleton $< name switchgear_bpf >$@

# --- user space -------------------------------------------------------------

define layer_rules
$(B)/obj/user/$(1)/%.o: user/$(1)/%.c $(INC)/stamp Makefile $(B)/flags
	@mkdir -p $$(@D)
	$$(call say,CC,$$<) $$(CC) $$(ALL_CFLAGS) $$(call layer_inc,$(1)) $$(LAYER_CFLAGS_$(1)) \
		$$(CFLAGS) -c $$< -o $$@

$(B)/lib$(1).a: $(call part,$(1))
	$$(call say,AR,$$@) rm -f $$@ && $$(AR) rcs $$@ $$^
endef
$(foreach l,$(LAYERS),$(eval $(call layer_rules,$(l))))
$(SKEL_USERS:%.c=$(B)/obj/%.o): | $(SKEL)

$(B)/switchgeard: $(B)/obj/user/modules/main.o $(call libs,$(PARTS_modules))
	$(call say,LINK,$@) $(CC) $(LDHARDEN) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS_daemon)

$(B)/switchgear-worker: $(B)/obj/user/worker/main.o $(call libs,$(PARTS_worker))
	$(call say,LINK,$@) $(CC) $(LDHARDEN) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS_worker)

$(B)/switchgear-relay: $(B)/obj/user/relay/main.o $(call libs,$(PARTS_relay))
	$(call say,LINK,$@) $(CC) $(LDHARDEN) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS_relay)

$(B)/switchgear: $(B)/obj/user/cli/main.o $(call libs,$(PARTS_cli))
	$(call say,LINK,$@) $(CC) $(LDHARDEN) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS_cli)

$(B)/tools/%: tests/tools/%.c $(call libs,io base) Makefile $(B)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<) $(CC) $(ALL_CFLAGS) -Iuser -Iheaders $(CFLAGS) $(LDHARDEN) $(LDFLAGS) -MF $@.d -o $@ $< \
		$(call libs,io base) -lsodium -lm -lpthread

# --- tests ------------------------------------------------------------------

$(B)/tests/%.o: tests/%.c Makefile $(B)/flags | $(SKEL) $(TEST_BPF_OBJ)
	@mkdir -p $(@D)
	$(call say,CC,$<) $(CC) $(ALL_CFLAGS) $(TEST_CFLAGS) $(CFLAGS) -c $< -o $@

# Daemon and modules are tested over fakes, of the data plane above all: these come in
# place of its library, and of what they define of other ones.
FAKED := daemon modules
FAKES := $(patsubst tests/%.c,$(B)/tests/%.o,$(sort $(wildcard tests/fake/*.c)))
FAKE_LINK := $(foreach f,malloc calloc realloc strdup strndup,-Wl,--wrap=$(f))
if_faked = $(if $(filter $(1),$(FAKED)),$(2))

define unit_rules
$(call unit_bin,$(1)): %: %.o $(patsubst tests/%.c,$(B)/tests/%.o,$(filter-out $(call with_main,$(call unit_src,$(1))),$(call unit_src,$(1)))) \
		$(call if_faked,$(1),$(FAKES)) $(call libs,$(filter-out $(call if_faked,$(1),dataplane),$(PARTS_$(1))))
	$$(call say,LINK,$$@) $$(CC) $$(LDHARDEN) $$(CFLAGS) $$(LDFLAGS) $(call if_faked,$(1),$(FAKE_LINK)) -o $$@ $$^ -lcmocka $$(LIBS_test_$(1))
endef
$(foreach l,$(TEST_LAYERS),$(if $(call unit_bin,$(l)),$(eval $(call unit_rules,$(l)))))

BPFTEST_COMMON := $(patsubst tests/%.c,$(B)/tests/%.o,$(filter-out $(BPFTEST_MAIN),$(BPFTEST_SRC)))
define bpftest_rule
$(patsubst tests/bpf/%.c,$(B)/tests/bpf_%,$(subst /test_,/,$(1))): $(patsubst tests/%.c,$(B)/tests/%.o,$(1)) $(BPFTEST_COMMON) $(call libs,$(PARTS_daemon))
	$$(call say,LINK,$$@) $$(CC) $$(LDHARDEN) $$(CFLAGS) $$(LDFLAGS) -o $$@ $$^ -lcmocka $$(LIBS_test_daemon)
endef
$(foreach s,$(BPFTEST_MAIN),$(eval $(call bpftest_rule,$(s))))

$(BENCH_BIN): $(B)/tests/bench_%: $(B)/tests/bench/%.o $(B)/tests/bpf/crowd.o $(call libs,$(PARTS_daemon))
	$(call say,LINK,$@) $(CC) $(LDHARDEN) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS_test_daemon) -lpthread

LAB := $(B)/tests/lab
$(LAB): $(patsubst %.c,$(B)/%.o,$(sort $(wildcard tests/experiments/*.c))) $(call libs,$(PARTS_codec))
	$(call say,LINK,$@) $(CC) $(LDHARDEN) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o %.a,$^) $(LIBS_test_codec)

VERIFY := $(B)/tests/kernels_verify
$(VERIFY): $(B)/tests/kernels/verify.o $(call libs,$(PARTS_dataplane))
	$(call say,LINK,$@) $(CC) $(LDHARDEN) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o %.a,$^) $(LIBS_test_dataplane)

.PHONY: tests test test-trust test-bpf test-e2e test-kernels test-bare test-model test-oracle test-judge test-bench asan check
tests: all $(UNIT_BIN) $(BPFTEST_BIN) $(BENCH_BIN) $(VERIFY) ## Build all tests without running them

test: $(UNIT_BIN) ## Unit tests (no root)
	@mk/run-tests $(UNIT_BIN)

PROPERTIES := $(B)/tests/unit/core/test_trust_property $(B)/tests/unit/core/test_reputation
test-trust: $(PROPERTIES) ## The invariants of docs/trust.md, 100,000 random histories each (a minute; SG_SEED=1)
	@SG_HISTORIES=$${SG_HISTORIES:-100000} TEST_TIMEOUT=600 mk/run-tests $(PROPERTIES)

test-experiments: $(LAB) ## What must hold of the experiments of docs/experiments.md (half a minute)
	@$(LAB) 2>&1 >$(B)/experiments.md

experiments: $(LAB) ## Writes docs/experiments.md
	$(LAB) >docs/experiments.md

test-bpf: all $(BPFTEST_BIN) ## Programs run in the kernel over tables of packets (root)
	@mk/run-tests $(BPFTEST_BIN)

test-e2e: all ## Real sockets, real daemon (root)
	@BPFTOOL='$(BPFTOOL)' PATH="$$PATH:$(abspath $(G)/deps)" tests/e2e/run

test-kernels: all $(BPFTEST_BIN) $(VERIFY) ## Both suites on other kernels, in QEMU (KERNELS="6.1 6.12")
	@BUILD='$(abspath $(B))' OBJECT='$(abspath $(G))/bpf/switchgear.bpf.o' CLANG='$(CLANG)' \
		tests/kernels/run $(KERNELS)

test-judge: ## What judges the kernels, over canned output of guests
	@tests/kernels/selftest

test-bench: all ## What judges the benchmarks, over canned output of theirs
	@B='$(B)' tests/bench/selftest

test-model: ## The breaker's model, checked with spin (a minute)
	@tests/model/run

test-oracle: ## Against two other breakers, from npm, on what they share
	@B='$(B)' tests/oracle/run --streams 800

test-bare: ## README's commands in a bare Debian (root, debootstrap; BARE="bookworm trixie")
	@tests/bare/run $(BARE)

asan: ## Unit tests under the address and undefined-behaviour sanitizers
	@$(MAKE) --no-print-directory B=$(B)/asan G=$(B) SAN=1 test

.PHONY: fuzz
fuzz: ## Every parser under libFuzzer, FUZZ_SECONDS=30 each
	@tests/fuzz/run

check: all ## lint and every test suite: the one command of README and CI
	+@mk/check $(MAKE) lint test test-trust test-experiments asan test-judge test-bench test-bpf test-e2e

# --- checks of the source ---------------------------------------------------

C_FILES := $(sort $(wildcard headers/*.h bpf/*.[ch] user/*/*.[ch] tests/*/*.[ch] tests/unit/*/*.[ch]))
LAYER_STAMP := $(B)/lint/layers
.PHONY: layers lint format
layers: $(LAYER_STAMP) ## Which layer uses what: includes and undefined symbols
$(LAYER_STAMP): $(call libs,base core) $(USER_OBJ) $(wildcard user/*/*.h) $(wildcard tests/lint/*layers* tests/lint/circles tests/lint/*.symbols)
	@mkdir -p $(@D)
	$(call say,LAYERS,base core) NM='$(NM)' tests/lint/layers '$(call lib,base)' '$(call lib,core)'
	$(call say,CIRCLES,user) tests/lint/circles '$(NM)' $(USER_OBJ)
	@touch $@

TIDY := $(patsubst %.c,$(B)/lint/%.tidy,$(USER_SRC))
CPPCHECK := $(patsubst %.c,$(B)/lint/%.cppcheck,$(USER_SRC))
HEADERS_OK := $(patsubst %.h,$(B)/lint/%.header,$(wildcard headers/*.h user/*/*.h))

layer_of = $(word 2,$(subst /, ,$(1)))
$(B)/lint/user/%.tidy: user/%.c .clang-tidy $(B)/obj/user/%.o
	@mkdir -p $(@D)
	$(call say,TIDY,$<) $(CLANG_TIDY) --quiet --warnings-as-errors='*' $< -- -std=gnu17 $(DEFINES) \
		$(call layer_inc,$(call layer_of,$<)) $(LAYER_CFLAGS_$(call layer_of,$<)) \
		>$@.log 2>&1 || { cat $@.log; exit 1; }
	@touch $@

$(B)/lint/user/%.cppcheck: user/%.c tests/lint/cppcheck.suppress $(B)/obj/user/%.o
	@mkdir -p $(@D)
	$(call say,CPPCHECK,$<) cppcheck --quiet --error-exitcode=1 --std=c11 --language=c \
		--enable=warning,performance,portability --inline-suppr \
		--suppressions-list=tests/lint/cppcheck.suppress -D_GNU_SOURCE -D__x86_64__ '-DLIBBPF_OPTS(type,name,...)=struct type name' \
		-Iuser -Iheaders $<
	@touch $@

$(B)/lint/user/%.header: user/%.h $(INC)/stamp $(B)/flags | $(SKEL)
	@mkdir -p $(@D)
	$(call say,HEADER,$<) echo '#include "$*.h"' | $(CC) $(ALL_CFLAGS) $(call layer_inc,$(call layer_of,$<)) \
		$(LAYER_CFLAGS_$(call layer_of,$<)) \
		-MF $@.d -MT $@ -fsyntax-only -x c -
	@touch $@

$(B)/lint/headers/%.header: headers/%.h $(B)/flags
	@mkdir -p $(@D)
	$(call say,HEADER,$<) echo '#include "$*.h"' | $(CC) $(ALL_CFLAGS) -Iheaders \
		-MF $@.d -MT $@ -fsyntax-only -x c -
	@touch $@

SYMBOLS_STAMP := $(B)/lint/symbols
$(SYMBOLS_STAMP): $(USER_OBJ) tests/lint/symbols tests/lint/unused.symbols
	@mkdir -p $(@D)
	$(call say,SYMBOLS,user) NM='$(NM)' tests/lint/symbols $(USER_OBJ)
	@touch $@

lint: layers $(SYMBOLS_STAMP) $(HEADERS_OK) $(TIDY) $(CPPCHECK) ## Every check of the source that runs no product code
	@CLANG_FORMAT='$(CLANG_FORMAT)' tests/lint/style $(C_FILES)
	@tests/lint/text
	@tests/lint/renamed
	@echo 'lint: clean'

format: ## Rewrite the C files in the house format
	$(Q)$(CLANG_FORMAT) -i $(C_FILES)

compile_commands.json: Makefile $(USER_SRC) ## For editors and clang tools
	$(Q)exec >$@.new; echo '['; sep=; \
	$(foreach s,$(USER_SRC),printf '%s{"directory":"%s","file":"%s","command":"%s"}\n' "$$sep" '$(CURDIR)' '$(s)' \
		'$(subst ','\'',$(subst ",\",$(CC) $(filter-out -MMD -MP,$(ALL_CFLAGS)) $(call layer_inc,$(call layer_of,$(s))) \
		$(LAYER_CFLAGS_$(call layer_of,$(s))) -c $(s)))'; sep=,;) \
	echo ']'
	$(Q)mv $@.new $@

# --- using it ---------------------------------------------------------------

.PHONY: run demo bench deps vmlinux install uninstall clean help
run: all ## Protect this host: build, then run the daemon (CGROUP= limits it)
	@CGROUP='$(CGROUP)' dist/run

demo: all ## See it at work on a real MCP server (root, under a minute)
	@tests/demo/demo

bench: all $(BENCH_BIN) ## What it costs, and every deadline: fails if one is missed (root)
	@B='$(B)' BPFTOOL='$(BPFTOOL)' PATH="$$PATH:$(abspath $(G)/deps)" tests/bench/run

deps: ## Install what building and testing need (apt: Debian 12, Ubuntu 24.04)
	@mk/deps '$(B)'

# In one call with others, `make deps demo`: one after the other, whatever -j says.
ifneq ($(filter deps,$(MAKECMDGOALS)),)
.NOTPARALLEL:
endif

vmlinux: ## Make the reduced kernel type header again from this kernel's BTF
	@vmlinux/update

MAN1 = $(wildcard man/*.1)
MAN5 = $(wildcard man/*.5)
MAN8 = $(wildcard man/*.8)
COMPLETION = $(PREFIX)/share/bash-completion/completions/switchgear
EXAMPLE = $(PREFIX)/share/doc/switchgear/switchgear.json
install: all ## Install under $(DESTDIR)$(PREFIX)
	$(Q)$(INSTALL) -D -m 0755 $(B)/switchgeard '$(DESTDIR)$(PREFIX)/sbin/switchgeard'
	$(Q)$(INSTALL) -D -m 0755 $(B)/switchgear '$(DESTDIR)$(PREFIX)/bin/switchgear'
	$(Q)$(INSTALL) -D -m 0755 $(B)/switchgear-worker '$(DESTDIR)$(LIBEXEC)/switchgear-worker'
	$(Q)$(INSTALL) -D -m 0755 $(B)/switchgear-relay '$(DESTDIR)$(LIBEXEC)/switchgear-relay'
	$(Q)$(INSTALL) -D -m 0644 dist/switchgear.sysusers '$(DESTDIR)$(SYSUSERS)'
	$(Q)$(foreach s,1 5 8,$(foreach m,$(MAN$(s)),$(INSTALL) -D -m 0644 $(m) \
		'$(DESTDIR)$(PREFIX)/share/man/man$(s)/$(notdir $(m))' &&)) :
	$(Q)sed 's|@PREFIX@|$(PREFIX)|g' dist/switchgeard.service >$(B)/switchgeard.service
	$(Q)$(INSTALL) -D -m 0644 $(B)/switchgeard.service '$(DESTDIR)$(UNITDIR)/switchgeard.service'
	$(Q)$(INSTALL) -D -m 0644 dist/switchgear.bash '$(DESTDIR)$(COMPLETION)'
	$(Q)$(INSTALL) -D -m 0644 dist/switchgear.json '$(DESTDIR)$(EXAMPLE)'

uninstall: ## Remove what install put there
	$(Q)rm -f '$(DESTDIR)$(PREFIX)/sbin/switchgeard' '$(DESTDIR)$(PREFIX)/bin/switchgear' \
		'$(DESTDIR)$(LIBEXEC)/switchgear-worker' '$(DESTDIR)$(LIBEXEC)/switchgear-relay' '$(DESTDIR)$(SYSUSERS)' \
		'$(DESTDIR)$(UNITDIR)/switchgeard.service' '$(DESTDIR)$(COMPLETION)' '$(DESTDIR)$(EXAMPLE)' \
		$(foreach s,1 5 8,$(foreach m,$(MAN$(s)),'$(DESTDIR)$(PREFIX)/share/man/man$(s)/$(notdir $(m))'))

clean: ## Remove build/
	$(Q)rm -rf $(B) compile_commands.json

help: ## This list
	@echo 'usage: make [TARGET] [V=1] [WERROR=0] [CC=gcc|clang]'
	@sed -n 's/^\([a-z][a-z._-]*\):.*## \(.*\)/  \1|\2/p' Makefile | sort | \
		awk -F'|' '{ printf "%-24s %s\n", $$1, $$2 }'

-include $(shell find $(B) -name '*.d' -type f 2>/dev/null)
