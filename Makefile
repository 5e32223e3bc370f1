# inlets for nginx
#
#   make            builds the modules and the client into build/
#   make run        installs what is missing, builds, and shows a tunnel
#   make test       installs what is missing, builds, and runs all tests
#   make help       lists the rest

SHELL    := /bin/bash

BUILD    ?= build
DESTDIR  ?=
PREFIX   ?= /usr/local
MODULEDIR ?= /usr/lib/nginx/modules
SHAREDIR ?= $(PREFIX)/share

# The nginx to build for: Debian's nginx-dev, or any source tree, which is
# copied and configured with NGINX_FLAGS; its binary comes with "make nginx".
NGINX_SRC   ?=
NGINX_FLAGS ?= --with-compat --with-debug --with-threads \
               --with-http_ssl_module --with-http_v2_module \
               --with-http_realip_module --with-http_auth_request_module \
               --with-http_stub_status_module --with-stream \
               --with-stream_ssl_module --with-stream_realip_module
NGINX_DEV   ?= /usr/share/nginx/src

# 1, with NGINX_SRC: the modules become part of the nginx binary
STATIC      ?=

# make run
UPSTREAM ?=
NAME     ?= demo
EDGE     ?= 127.0.0.1

# make bench: "quick", and which of http, tcp, latency, memory
BENCH    ?=

# make test, make fuzz; JOBS also for compiling, in "make run" and "make test"
TESTS    ?=
JOBS     ?= 2
FUZZ_SECONDS ?= 20

CC       ?= cc
CFLAGS   ?= -g -O2
CPPFLAGS ?=
LDFLAGS  ?=

# 1: shows the compiler's command lines
V        ?=

# 1: address and undefined-behaviour sanitizers, see "make asan"
SANITIZE ?=

VERSION  := $(shell sed -n 's/^\#define INLETS_VERSION *"\(.*\)"/\1/p' \
                shared/inlets_version.h 2>/dev/null)

override BUILD := $(abspath $(BUILD))
TOP      := $(CURDIR)
Q        := $(if $(V),,@)

WARNINGS := -Wall -Wextra -Wshadow
HARDEN   := -fstack-protector-strong -Wformat -Werror=format-security \
            -Wl,-z,relro -Wl,-z,now
SAN      := -fsanitize=address,undefined -fno-omit-frame-pointer

FLAGS    := -std=c11 -D_GNU_SOURCE -Ishared $(CPPFLAGS) $(WARNINGS) $(CFLAGS)
NGX_CC_OPT := -g -O2 -fPIC -fstack-protector-strong -Wformat \
              -Werror=format-security -D_FORTIFY_SOURCE=2
NGX_LD_OPT := -Wl,-z,relro -Wl,-z,now -fPIC

ifeq ($(SANITIZE),1)
    FLAGS  += $(SAN) -O1
    HARDEN :=
    NGX_CC_OPT := -g -O1 -fPIC $(SAN)
    NGX_LD_OPT := -fPIC $(SAN)
endif

# The HTTP parser llhttp becomes a part of the program: from the archive of
# Debian 13's libllhttp-dev, or from the sources in Debian 12's node-llhttp.

LLHTTP_SRC   ?= /usr/share/llhttp
LLHTTP_INC   ?= $(if $(wildcard /usr/include/llhttp.h                         \
                    /usr/local/include/llhttp.h),,$(if $(wildcard             \
                    $(LLHTTP_SRC)/llhttp.c),/usr/share/include/llhttp))
LLHTTP_SRCS  := $(if $(LLHTTP_INC),$(wildcard $(LLHTTP_SRC)/*.c))
LLHTTP_OBJS  := $(patsubst $(LLHTTP_SRC)/%.c,$(BUILD)/obj/llhttp/%.o,         \
                    $(LLHTTP_SRCS))
LLHTTP_FLAGS := $(if $(LLHTTP_INC),-isystem $(LLHTTP_INC))
LLHTTP_LIBS  ?= $(if $(LLHTTP_SRCS),,$(or $(filter /%,$(shell                 \
                    $(CC) -print-file-name=libllhttp.a)),-lllhttp))

CLIENT_LIBS := -Wl,--as-needed $(LLHTTP_LIBS) -lwebsockets -luv -lcjson -lyaml \
               -lssl -lcrypto
UNIT_LIBS   := -lyaml -lcrypto

CLIENT_OBJS := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard client/*.c))
SHARED      := $(BUILD)/libshared.a
SHARED_OBJS := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard shared/*.c))
UNITS       := $(patsubst t/unit/%.c,$(BUILD)/unit/%,$(wildcard t/unit/*.c))
FUZZERS     := $(patsubst t/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard t/fuzz/*.c))
MODULE_SRCS := $(wildcard ngx_module/*.c)
MODULE_DEPS := $(wildcard ngx_module/*.h shared/*.h)

NGX      := $(BUILD)/nginx
NGX_MAKE  = $(MAKE) $(if $(V),,-s) --no-print-directory -C $(NGX) -f objs/Makefile
NGINX_TREE := $(or $(NGINX_SRC),$(NGINX_DEV))

ifneq ($(NGINX_SRC),)
    NGINX ?= $(NGX)/objs/nginx
else
    NGINX ?= $(firstword $(wildcard /usr/sbin/nginx /usr/local/sbin/nginx) \
                 nginx)
endif


.PHONY: all modules client manual units llhttp nginx asan lint deps test-deps \
        bench-deps run test test-bare bench fuzz docs install clean help FORCE
.DELETE_ON_ERROR:

all: modules client manual

help:
	@sed -n 's/^#   //p' Makefile
	@echo 'make deps, make test-deps  install packages'
	@echo 'make modules, make client  build the one or the other'
	@echo 'make nginx NGINX_SRC=DIR   builds nginx itself as well'
	@echo 'make asan                  builds both with sanitizers'
	@echo 'make lint                  gcc, clang and cppcheck, no warnings'
	@echo 'make fuzz                  each fuzzer for FUZZ_SECONDS'
	@echo 'make docs                  writes the settings into README.md'
	@echo 'make test TESTS=t/name.t   runs some of the tests'
	@echo 'make test-bare             the README on bare Debian 12 and 13'
	@echo 'make bench                 measures'
	@echo 'make manual                man pages and completions'
	@echo 'make install, make clean   DESTDIR, PREFIX, MODULEDIR'


# The modules.  nginx's own build does the work: it is configured once for
# each nginx and set of flags, and knows what depends on our headers.

define NGX_KEY
$(NGINX_TREE) $(NGINX_FLAGS) $(STATIC) $(CC) $(NGX_CC_OPT) $(NGX_LD_OPT) $(MODULE_DEPS)
endef

$(BUILD)/nginx.key: FORCE
	@if [ ! -f $(NGINX_TREE)/src/core/nginx.h ]; then                     \
	    echo "no nginx source in $(NGINX_TREE): run \"make deps\" for the" \
	         "nginx-dev package, or say NGINX_SRC=DIR" >&2; exit 1; fi
	@mkdir -p $(BUILD)
	@{ echo '$(subst ','\'',$(NGX_KEY))';                                 \
	   cat $(NGINX_TREE)/src/core/nginx.h $(NGINX_TREE)/conf_flags        \
	       2>/dev/null | cksum; } > $@.new;                               \
	if cmp -s $@.new $@; then rm -f $@.new; else mv $@.new $@; fi

$(NGX)/objs/Makefile: $(BUILD)/nginx.key config
	@rm -rf $(NGX)
	@mkdir -p $(NGX)
	@tar -C $(NGINX_TREE) --exclude=./objs --exclude=./.git \
	    --exclude=./Makefile -cf - . | tar -C $(NGX) -xf -
	@cd $(NGX) && if [ -n "$(NGINX_SRC)" ]; then                          \
	    flags=( $(NGINX_FLAGS) --error-log-path=stderr );                 \
	else                                                                  \
	    . ./conf_flags; flags=( "$${NGX_CONF_FLAGS[@]}"                   \
	        --with-stream=dynamic --with-stream_ssl_module );             \
	fi;                                                                   \
	configure=./configure; [ -x $$configure ] || configure=auto/configure; \
	echo "configuring nginx from $(NGINX_TREE)";                          \
	ASAN_OPTIONS=detect_leaks=0 $$configure --builddir=objs               \
	    --with-cc="$(CC)" --with-cc-opt="$(NGX_CC_OPT)"                   \
	    --with-ld-opt="$(NGX_LD_OPT)" "$${flags[@]}"                      \
	    --add-$(if $(STATIC),,dynamic-)module=$(TOP) > configure.log 2>&1 \
	    || { tail -n 20 configure.log >&2; rm -f objs/Makefile; exit 1; }
	@touch $@

ifeq ($(STATIC),)

modules: $(NGX)/objs/Makefile
	@echo 'building the modules in $(BUILD)'
	+@$(NGX_MAKE) $$(sed -n \
	    's/^objs.\(ngx_[a-z]*_inlets_module\.so\):.*/objs\/\1/p' \
	    $(NGX)/objs/Makefile)
	@mkdir -p $(BUILD)/modules
	@for so in $(NGX)/objs/ngx_*_inlets_module.so; do                     \
	    to=$(BUILD)/modules/$${so##*/};                                   \
	    cmp -s $$so $$to || install -m 755 $$so $$to; done

else

modules: nginx

endif

nginx: $(if $(STATIC),$(NGX)/objs/Makefile,modules)
ifneq ($(NGINX_SRC),)
	@echo 'building nginx in $(BUILD)'
	+@$(NGX_MAKE) objs/nginx
endif


# The client, and whatever else is made of shared/: an archive, so that each
# program gets what it uses, and needs only the libraries of that.

$(BUILD)/flags.key: FORCE
	@mkdir -p $(BUILD)
	@echo '$(CC) $(FLAGS) $(LDFLAGS) $(HARDEN)' > $@.new;                 \
	if cmp -s $@.new $@; then rm -f $@.new; else mv $@.new $@; fi

# where "inlets server" looks for the modules

$(BUILD)/moduledir.key: FORCE
	@mkdir -p $(BUILD)
	@echo '$(MODULEDIR)' > $@.new;                                        \
	if cmp -s $@.new $@; then rm -f $@.new; else mv $@.new $@; fi

$(BUILD)/obj/client/server_nginx.o: $(BUILD)/moduledir.key
$(BUILD)/obj/client/server_nginx.o: private FLAGS += \
    -DINLETS_MODULEDIR='"$(MODULEDIR)"'

# what "inlets -V" tells of the modules' nginx; the client alone needs none

ifneq ($(filter all modules nginx install lint,$(or $(MAKECMDGOALS),all)),)
    ABI_NGINX := $(if $(wildcard $(NGINX_TREE)/src/core/nginx.h),             \
                      $(NGX)/objs/Makefile)
endif

ABI_DIRS := $(addprefix -I$(NGX)/,objs src/core src/event src/event/modules   \
                src/event/quic src/os/unix)

$(BUILD)/abi.h: FORCE | $(ABI_NGINX)
	@mkdir -p $(BUILD)
	@{ [ ! -f $(NGX)/objs/ngx_auto_config.h ] ||                          \
	   printf '%s\n' '#include <ngx_config.h>' '#include <ngx_core.h>'    \
	       '#include <nginx.h>' '= VERSION NGINX_VERSION'                 \
	       '= SIGNATURE NGX_MODULE_SIGNATURE'                             \
	   | $(CC) $(CPPFLAGS) $(ABI_DIRS) -E -P - 2> /dev/null               \
	   | sed -n 's/" *"//g; s/^= /#define INLETS_NGINX_/p'; } > $@.new;   \
	if cmp -s $@.new $@; then rm -f $@.new; else mv $@.new $@; fi

$(BUILD)/obj/client/version.o: $(BUILD)/abi.h
$(BUILD)/obj/client/version.o: private FLAGS += -include $(BUILD)/abi.h

# "strict" is chosen when the parser is compiled, in the older version

$(BUILD)/obj/llhttp/%.o: $(LLHTTP_SRC)/%.c $(BUILD)/flags.key
	@mkdir -p $(@D)
	$(Q)$(CC) -std=c11 $(CPPFLAGS) -w $(CFLAGS) $(if $(SANITIZE),$(SAN))   \
	    $(filter-out -Wl%,$(HARDEN)) -DLLHTTP_STRICT_MODE=1               \
	    $(LLHTTP_FLAGS) -c -o $@ $<

HTTP_OBJS := $(BUILD)/obj/client/http.o $(BUILD)/obj/t/unit/http.o

$(HTTP_OBJS): private FLAGS += $(LLHTTP_FLAGS)
$(HTTP_OBJS): | llhttp

llhttp:
	@if [ -z "$(LLHTTP_SRCS)" ] && ! echo '#include <llhttp.h>' |         \
	        $(CC) $(CPPFLAGS) $(LLHTTP_FLAGS) -E - > /dev/null 2>&1; then \
	    echo 'no llhttp: run "make deps" for the package libllhttp-dev or,' \
	         'where there is none, node-llhttp' >&2; exit 1; fi

$(BUILD)/obj/%.o: %.c $(BUILD)/flags.key
	@mkdir -p $(@D)
	$(Q)$(CC) $(FLAGS) $(filter-out -Wl%,$(HARDEN)) -MMD -MP -c -o $@ $<

client: $(BUILD)/inlets

$(SHARED): $(SHARED_OBJS)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

$(BUILD)/inlets: $(CLIENT_OBJS) $(LLHTTP_OBJS) $(SHARED)
	@echo 'linking $@'
	$(Q)$(CC) $(FLAGS) $(LDFLAGS) $(HARDEN) -o $@ $^ $(CLIENT_LIBS)


# The manual and the completions are made from the client's own tables.

MANUAL      := $(addprefix $(BUILD)/man/,inlets.1 inlets.yml.5)
COMPLETIONS := $(addprefix $(BUILD)/completion/,bash zsh fish)

manual: $(MANUAL) $(COMPLETIONS)

$(BUILD)/obj/client/manual/manual.o: private FLAGS += -Iclient

$(BUILD)/manual: $(BUILD)/obj/client/manual/manual.o                          \
                 $(BUILD)/obj/ngx_module/ngx_inlets_settings_table.o          \
                 $(filter-out %/main.o,$(CLIENT_OBJS)) $(LLHTTP_OBJS) $(SHARED)
	$(Q)$(CC) $(FLAGS) $(LDFLAGS) $(HARDEN) -o $@ $^ $(CLIENT_LIBS)

$(BUILD)/man/%: $(BUILD)/manual
	@mkdir -p $(@D)
	$(Q)ASAN_OPTIONS=detect_leaks=0 $< $* > $@

$(BUILD)/completion/%: $(BUILD)/inlets
	@mkdir -p $(@D)
	$(Q)ASAN_OPTIONS=detect_leaks=0 $< completion $* > $@


units: $(UNITS)

$(BUILD)/unit/%: $(BUILD)/obj/t/unit/%.o $(SHARED)
	@mkdir -p $(@D)
	$(Q)$(CC) $(FLAGS) $(LDFLAGS) $(HARDEN) -o $@ $(filter %.o,$^)         \
	    $(filter %.a,$^) $(UNIT_LIBS)

# of the client, what a test names here

CONF_PARTS  := access conf conf_file conf_file_tunnel conf_keys conf_listed    \
               conf_value secret

$(BUILD)/unit/activity: $(patsubst %,$(BUILD)/obj/client/%.o,activity log      \
                            output term text)
$(BUILD)/unit/activity: UNIT_LIBS += -luv -lcjson
$(BUILD)/unit/conf: $(patsubst %,$(BUILD)/obj/client/%.o,$(CONF_PARTS))
$(BUILD)/unit/conf: UNIT_LIBS += -lcjson
$(BUILD)/unit/http: $(patsubst %,$(BUILD)/obj/client/%.o,http http_head)       \
                    $(LLHTTP_OBJS)
$(BUILD)/unit/http: UNIT_LIBS += $(LLHTTP_LIBS)
$(BUILD)/unit/log: $(patsubst %,$(BUILD)/obj/client/%.o,log output term text)
$(BUILD)/unit/log: UNIT_LIBS += -luv -lcjson
$(BUILD)/unit/output: $(BUILD)/obj/client/output.o
$(BUILD)/unit/output: UNIT_LIBS += -luv
$(BUILD)/unit/view: $(patsubst %,$(BUILD)/obj/client/%.o,view_draw pen text)

.SECONDARY: $(UNITS:$(BUILD)/unit/%=$(BUILD)/obj/t/unit/%.o)

-include $(wildcard $(BUILD)/obj/*/*.d $(BUILD)/obj/*/*/*.d)


asan:
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/asan SANITIZE=1 all units


lint: $(NGX)/objs/Makefile
	.ci/lint $(BUILD) $(LLHTTP_FLAGS)


$(BUILD)/fuzz/%: t/fuzz/%.c $(wildcard shared/*.c shared/*.h t/fuzz/*.h)
	@mkdir -p $(@D)
	$(Q)clang -g -O1 -std=c11 -D_GNU_SOURCE -Ishared \
	    -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
	    -o $@ $< $(wildcard shared/*.c) $(FUZZ_MORE) -lyaml -lcrypto

$(BUILD)/fuzz/fuzz_conf: $(patsubst %,client/%.c,$(CONF_PARTS))                \
                         $(wildcard client/conf*.h)
$(BUILD)/fuzz/fuzz_conf: private FUZZ_MORE := -lcjson                          \
    $(patsubst %,client/%.c,$(CONF_PARTS))

$(BUILD)/fuzz/fuzz_http: client/http.c client/http_head.c client/http.h       \
                         client/http_head.h client/activity.h | llhttp
$(BUILD)/fuzz/fuzz_http: private FUZZ_MORE := client/http.c                   \
    client/http_head.c -DLLHTTP_STRICT_MODE=1 -w $(LLHTTP_FLAGS)              \
    $(LLHTTP_SRCS) $(LLHTTP_LIBS)

# The reference of the settings file, from its table of keys.

docs: $(BUILD)/unit/reference
	@$< write > $(BUILD)/README.md && cat $(BUILD)/README.md > README.md

fuzz: $(FUZZERS)
	.ci/fuzz $(BUILD)/fuzz $(FUZZ_SECONDS)


deps:
	.ci/deps build

test-deps:
	.ci/deps build test

bench-deps:
	.ci/deps build bench


run: deps
	@$(MAKE) --no-print-directory -j$(JOBS) nginx client
	@BUILD="$(BUILD)" NGINX="$(NGINX)" UPSTREAM="$(UPSTREAM)" \
	    NAME="$(NAME)" EDGE="$(EDGE)" conf/run


test: test-deps
	@$(MAKE) --no-print-directory -j$(JOBS) nginx client manual units asan
	@BUILD="$(BUILD)" NGINX="$(NGINX)" JOBS="$(JOBS)" t/run $(TESTS)

test-bare:
	.ci/test-bare

bench: bench-deps
	@$(MAKE) --no-print-directory -j$(JOBS) nginx client
	@BUILD="$(BUILD)" NGINX="$(NGINX)" CC="$(CC)" bench/run $(BENCH)


install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(MODULEDIR)
	install -m 755 $(BUILD)/inlets $(DESTDIR)$(PREFIX)/bin/inlets
	install -m 644 $(BUILD)/modules/*.so $(DESTDIR)$(MODULEDIR)/
	install -d $(DESTDIR)$(SHAREDIR)/man/man1                             \
	    $(DESTDIR)$(SHAREDIR)/man/man5                                    \
	    $(DESTDIR)$(SHAREDIR)/bash-completion/completions                 \
	    $(DESTDIR)$(SHAREDIR)/zsh/site-functions                          \
	    $(DESTDIR)$(SHAREDIR)/fish/vendor_completions.d
	install -m 644 $(BUILD)/man/inlets.1 $(DESTDIR)$(SHAREDIR)/man/man1/
	install -m 644 $(BUILD)/man/inlets.yml.5                              \
	    $(DESTDIR)$(SHAREDIR)/man/man5/
	install -m 644 $(BUILD)/completion/bash                               \
	    $(DESTDIR)$(SHAREDIR)/bash-completion/completions/inlets
	install -m 644 $(BUILD)/completion/zsh                                \
	    $(DESTDIR)$(SHAREDIR)/zsh/site-functions/_inlets
	install -m 644 $(BUILD)/completion/fish                               \
	    $(DESTDIR)$(SHAREDIR)/fish/vendor_completions.d/inlets.fish

clean:
	rm -rf $(BUILD)
