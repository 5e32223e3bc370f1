package Inlets::Test;

# Tests with a real nginx, the real client, and peers that misbehave.
# t/README.md has the reference and an example.

use strict;
use warnings;

use Config;
use Cwd qw(abs_path);
use Digest::SHA qw(hmac_sha512_hex);
use Exporter qw(import);
use Fcntl qw(:flock);
use File::Basename qw(dirname);
use File::Path qw(remove_tree);
use File::Spec;
use File::Temp qw(tempdir);
use IO::Socket::INET;
use POSIX ();
use Socket;
use Test::More;
use Time::HiRes qw(time sleep);

use Inlets::Test::Client;
use Inlets::Test::Listener;
use Inlets::Test::Service;
use Inlets::Test::Socket;
use Inlets::Test::WebSocket;
use Inlets::Test::Yamux;

our @EXPORT = qw(wait_for spawn);

our $TOP = abs_path(dirname(__FILE__) . '/../../..');
our $BUILD = File::Spec->rel2abs($ENV{INLETS_BUILD} || "$TOP/build");
our $NGINX = $ENV{INLETS_NGINX} || $ENV{TEST_NGINX_BINARY} || 'nginx';
our $SLOW = $ENV{INLETS_SLOW}
    || ($ENV{INLETS_VALGRIND} ? 8 : $BUILD =~ m{/asan/?$} ? 3 : 1);
our $SECRET = 'not-a-secret';

sub wait_for(&;$$$);

# nginx would take it for sockets to inherit
delete $ENV{NGINX};

$SIG{PIPE} = 'IGNORE';

my %alive;              # pid => name, of what has to be ended
my @objects;
my %locks;
my $owner = $$;
my $finished;
my $features;


# Paths and the ways to start things.

sub nginx_features {
    return $features if $features;

    my $text = `\Q$NGINX\E -V 2>&1`;
    die "cannot run $NGINX" if $? != 0;

    my ($version) = $text =~ m{nginx/(\d+\.\d+\.\d+)};
    my ($modules) = $text =~ /--modules-path=(\S+)/;
    my ($prefix) = $text =~ /--prefix=(\S+)/;

    $modules = ($prefix || '/usr/local/nginx') . '/modules' if !$modules;

    $features = {
        version => $version,
        number => eval { sprintf '%d%03d%03d', split /\./, $version },
        text => $text,
        modules => $modules,
        stream => $text =~ /--with-stream(?!=|_)/ ? 'static'
                  : $text =~ /--with-stream=dynamic/ ? 'dynamic' : '',
    };

    return $features;
}


# The modules to load, in the order in which they have to be.

sub modules {
    my $f = nginx_features();
    my @modules;

    return () if $f->{text} =~ /--add-module=\Q$TOP\E(?:\s|$)/;

    push @modules, "$f->{modules}/ngx_stream_module.so"
        if $f->{stream} eq 'dynamic'
           && -e "$f->{modules}/ngx_stream_module.so";
    push @modules, "$BUILD/modules/ngx_http_inlets_module.so";
    push @modules, "$BUILD/modules/ngx_stream_inlets_module.so"
        if -e "$BUILD/modules/ngx_stream_inlets_module.so"
           && (@modules > 1 || $f->{stream} eq 'static');

    return @modules;
}


# With sanitizers in the modules only, their runtime has to come first.

sub preload {
    return '' if $BUILD !~ m{/asan/?$};

    my $path = `cc -print-file-name=libasan.so`;
    chomp $path;

    return -e $path ? abs_path($path) : '';
}


# Runs a program with its output in files; it dies with this process.

sub spawn {
    my ($name, $opt, @command) = @_;

    my $pid = fork();
    die "fork: $!" if !defined $pid;

    if ($pid == 0) {
        die_with_parent('TERM');
        $SIG{$_} = 'DEFAULT' for qw(PIPE INT TERM CHLD);

        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', $opt->{stdout} if $opt->{stdout};
        open STDERR, '>>', $opt->{stderr} if $opt->{stderr};
        $opt->{terminal}->become() if $opt->{terminal};

        chdir $opt->{dir} if $opt->{dir};

        for my $key (keys %{$opt->{env} || {}}) {
            if (defined $opt->{env}{$key}) {
                $ENV{$key} = $opt->{env}{$key};

            } else {
                delete $ENV{$key};
            }
        }

        exec { $command[0] } @command
            or do { print STDERR "$command[0]: $!\n"; POSIX::_exit(127) };
    }

    $alive{$pid} = $name;
    $opt->{terminal}->started() if $opt->{terminal};

    return $pid;
}


sub adopt {
    my ($pid, $name) = @_;
    $alive{$pid} = $name;
}


sub die_with_parent {
    my %number = (TERM => 15, KILL => 9);
    my $call = $Config{archname} =~ /^x86_64/ ? 157
               : $Config{archname} =~ /^aarch64/ ? 167 : return;

    syscall($call, 1, $number{$_[0]}, 0, 0, 0);
}


# The wait status once the process has ended, else undef.

sub reap {
    my ($pid, $timeout) = @_;
    my $status;

    wait_for(sub {
        my $got = waitpid($pid, POSIX::WNOHANG());
        $status = $got == $pid ? $? : $got < 0 ? -1 : undef;
        return defined $status;
    }, $timeout, 'exit of ' . ($alive{$pid} || $pid), 1);

    delete $alive{$pid} if defined $status;

    return $status;
}


# Waits until the code returns true, returns that or false.  The time is
# stretched where programs are slow (sanitizers, valgrind).

sub wait_for(&;$$$) {
    my ($code, $timeout, $what, $quiet) = @_;

    my $end = time() + ($timeout || 10) * $SLOW;
    my $pause = 0.002;

    for ( ;; ) {
        my $value = $code->();
        return $value if $value;
        last if time() > $end;

        sleep $pause;
        $pause *= 1.3 if $pause < 0.05;
    }

    Test::More::diag('timed out waiting for ' . $what) if $what && !$quiet;

    return '';
}


# Ports.  They lie below the kernel's own range, and each is locked so that
# tests may run side by side.

sub free_port {
    my ($count) = @_;
    $count ||= 1;

    my $dir = File::Spec->tmpdir() . "/inlets-test-ports-$>";
    mkdir $dir, 0700;

  TRY:
    for (1 .. 500) {
        my $first = 10000 + int(rand(20000 - $count));
        my @held;

        # those of "make run" and "make bench"
        next if $first < 20100 && $first + $count > 20000
                || $first < 19000 && $first + $count > 18500;

        for my $port ($first .. $first + $count - 1) {
            next TRY if $locks{$port};

            open my $fh, '>>', "$dir/$port" or next TRY;
            flock $fh, LOCK_EX | LOCK_NB or next TRY;

            for my $address ('127.0.0.1', '0.0.0.0') {
                IO::Socket::INET->new(LocalAddr => $address,
                    LocalPort => $port, Listen => 1, ReuseAddr => 1)
                    or next TRY;
            }

            push @held, [ $port, $fh ];
        }

        $locks{$_->[0]} = $_->[1] for @held;

        return $first;
    }

    die 'no free port';
}


# The object.

sub new {
    my ($class, %opt) = @_;

    my $dir = tempdir('inlets-test-XXXXXX', TMPDIR => 1);
    chmod 0755, $dir;

    my $self = bless {
        dir => $dir,
        workers => 1,
        level => $ENV{INLETS_LOG} || 'info',
        ports => {},
        allowed => [],
        number => 0,
        secret => $SECRET,
        %opt,
    }, $class;

    push @objects, $self;

    # better a test that fails than a run that hangs
    $SIG{ALRM} ||= sub { die 'the test takes too long' };
    alarm(($opt{timeout} || 300) * $SLOW);

    return $self;
}


sub dir { $_[0]{dir} }
sub secret { $_[0]{secret} }


# The n-th port, or the first of a range: port('tcp', 20).

sub port {
    my ($self, $key, $count) = @_;
    $key = 0 if !defined $key;

    return $self->{ports}{$key} ||= free_port($count);
}


sub file {
    my ($self, $name, $text) = @_;

    my $path = "$self->{dir}/$name";
    open my $fh, '>', $path or die "$path: $!";
    binmode $fh;
    print $fh $text;
    close $fh;

    return $path;
}


sub read_file {
    my ($self, $name) = @_;
    my $path = $name =~ m{^/} ? $name : "$self->{dir}/$name";

    open my $fh, '<', $path or return '';
    binmode $fh;
    local $/;

    my $text = <$fh>;

    return defined $text ? $text : '';
}


# A certificate for names, signed by itself: (certificate, key) paths.

sub certificate {
    my ($self, @names) = @_;
    @names = ('example.com', '*.example.com', '127.0.0.1') if !@names;

    my $id = join '-', map { s/\W/_/gr } @names;
    my ($crt, $key) = map { "$self->{dir}/$id.$_" } qw(crt key);

    if (!-e $crt) {
        my $san = join ',', map { (/^[\d.]+$|:/ ? 'IP' : 'DNS') . ":$_" }
                            @names;

        system("openssl req -x509 -newkey ec -nodes -days 3 "
            . "-pkeyopt ec_paramgen_curve:prime256v1 -subj '/CN=$names[0]' "
            . "-addext 'subjectAltName=$san' -keyout '$key' -out '$crt' "
            . "-batch 2>/dev/null") == 0
        or die 'openssl req failed';

        chmod 0644, $key;
    }

    return ($crt, $key);
}


# Configuration.

sub expand {
    my ($self, $text) = @_;

    my $load = join '', map { "load_module $_;\n" } modules();
    my $globals = $load . <<"END";
daemon off;
worker_processes $self->{workers};
pid $self->{dir}/nginx.pid;
lock_file $self->{dir}/nginx.lock;
error_log $self->{dir}/error.log $self->{level};
worker_shutdown_timeout 20s;
END

    my $http = join '', map { "${_}_temp_path $self->{dir}/$_;\n" }
                            qw(client_body proxy fastcgi uwsgi scgi);
    $http .= "access_log $self->{dir}/access.log;\n";

    $text =~ s/%%GLOBALS%%/$globals/g;
    $text =~ s/%%HTTP%%/$http/g;
    $text =~ s/%%TESTDIR%%/$self->{dir}/g;
    $text =~ s/%%SECRET%%/$self->{secret}/g;
    $text =~ s/%%RANGE_(\w+?)_(\d+)%%/
                  my $p = $self->port($1, $2); $p . '-' . ($p + $2 - 1)/gex;
    $text =~ s/%%PORT_(\w+?)%%/$self->port($1)/ge;

    return $text;
}


sub conf {
    my ($self, $text) = @_;

    $self->file('nginx.conf', $self->expand($text));

    return $self;
}


# An edge for example.com on port 0, and TCP ports from "tcp" on.  Any part
# may be added: events, http, servers, server, connect, tunnel, stream, main.

sub edge {
    my ($self, %part) = @_;

    my $tcp = exists $part{tcp_ports} ? $part{tcp_ports} : 8;
    my %p = map { $_ => defined $part{$_} ? $part{$_} : '' }
                qw(main events http servers server connect tunnel stream
                   tcp_server);
    my $listen = $part{listen} || 'listen 127.0.0.1:%%PORT_0%%;';
    my $token = exists $part{token} ? $part{token}
                : 'inlets_token %%SECRET%%;';
    my $domain = exists $part{domain} ? $part{domain}
                 : 'inlets_domain example.com;';
    my $zone = $part{zone} || 'inlets_zone edge 1m;';
    my $names = $part{server_name} || 'server_name example.com *.example.com;';
    my $f = nginx_features();
    my $stream = '';

    if ($tcp && $f->{stream}) {
        my $range = $tcp > 1 ? "%%RANGE_tcp_$tcp%%" : '%%PORT_tcp%%';
        $stream = <<"END";
stream {
    $p{stream}

    server {
        listen 127.0.0.1:$range;
        inlets_tunnel edge;
        $p{tcp_server}
    }
}
END
    }

    return $self->conf(<<"END");
%%GLOBALS%%
$p{main}

events {
    worker_connections 2048;
    $p{events}
}

http {
    %%HTTP%%
    $zone
    $domain
    $token
    $p{http}

    server {
        $listen
        $names

        location /_/ {
            inlets_connect edge;
            $p{connect}
        }

        location /_client {
            inlets_connect edge;
        }

        location / {
            inlets_tunnel edge;
            $p{tunnel}
        }

        $p{server}
    }

    $p{servers}
}

$stream
END
}


# nginx.

sub nginx_env {
    my %env = (ASAN_OPTIONS => 'detect_leaks=0:detect_odr_violation=0'
                               . ':detect_stack_use_after_return=1',
               UBSAN_OPTIONS => 'print_stacktrace=1');
    my $preload = preload();

    $env{LD_PRELOAD} = $preload if $preload;

    return \%env;
}


# "nginx -t": (true if it passed, what it said).  A text given here is tried
# without being put into use; the log of the running nginx is not touched.

sub test_conf {
    my ($self, $text) = @_;

    my $id = 'test.' . ++$self->{number};
    my $conf = defined $text ? $self->expand($text)
                             : $self->read_file('nginx.conf');

    $conf =~ s{\Q$self->{dir}\E/error\.log}{$self->{dir}/$id.log}g;
    $conf =~ s{\Q$self->{dir}\E/nginx\.pid}{$self->{dir}/$id.pid}g;
    $self->file("$id.conf", $conf);

    my $pid = spawn('nginx -t',
        { stdout => "$self->{dir}/$id.out", stderr => "$self->{dir}/$id.out",
          env => nginx_env() },
        $NGINX, '-p', "$self->{dir}/", '-e', "$self->{dir}/$id.err",
        '-t', '-c', "$self->{dir}/$id.conf");
    my $status = reap($pid, 20);

    return (defined $status && $status == 0,
            $self->read_file("$id.out") . $self->read_file("$id.log"));
}


sub run {
    my ($self) = @_;

    unlink "$self->{dir}/nginx.pid";

    $self->{pid} = spawn('nginx',
        { stdout => "$self->{dir}/nginx.stderr",
          stderr => "$self->{dir}/nginx.stderr", env => nginx_env() },
        $NGINX, '-p', "$self->{dir}/", '-e', "$self->{dir}/error.log",
        '-c', "$self->{dir}/nginx.conf");

    my $pid = $self->{pid};
    my $up = wait_for {
        return 'dead' if waitpid($pid, POSIX::WNOHANG()) != 0;
        return -s "$self->{dir}/nginx.pid"
               && $self->workers() >= $self->{workers};
    } 20;

    if (!$up || $up eq 'dead') {
        delete $alive{$pid} if $up;
        delete $self->{pid} if $up;
        die "nginx did not start:\n" . $self->read_file('nginx.stderr')
            . $self->log();
    }

    return $self;
}


sub master { $_[0]{pid} }


# Pids of the workers; ones that are shutting down only if asked for.

sub workers {
    my ($self, $all) = @_;
    my $pid = $self->{pid} || return ();
    my @workers;

    for my $child (split ' ', $self->read_file(
                       "/proc/$pid/task/$pid/children"))
    {
        my $line = $self->read_file("/proc/$child/cmdline");
        push @workers, $child
            if $line =~ /^nginx: worker process/
               && ($all || $line !~ /shutting down/);
    }

    return @workers;
}


# New configuration, new workers.  The old ones may go on with their work;
# wait_old() waits for them.

sub reload {
    my ($self, $text) = @_;
    my %old = map { $_ => 1 } $self->workers(1);

    $self->conf($text) if defined $text;
    $self->{old} = [ keys %old ];

    kill 'HUP', $self->{pid};

    return wait_for {
        my @new = grep { !$old{$_} } $self->workers();
        my @still = grep { $old{$_} } $self->workers();
        return @new >= $self->{workers} && !@still;
    } 20, 'new workers';
}


sub wait_old {
    my ($self, $timeout) = @_;

    # gone for good: the master has collected them
    return wait_for { !grep { -d "/proc/$_" } @{$self->{old} || []} }
        $timeout || 20, 'old workers to exit';
}


# The wait status, 0 for a clean exit; the first call's answer is kept.

sub stop {
    my ($self, $signal) = @_;
    my $pid = delete $self->{pid} || return $self->{status};

    kill $signal || 'TERM', $pid;

    my $status = reap($pid, 20);

    if (!defined $status) {
        diag('nginx did not end in time');
        kill 'KILL', workers_of($pid), $pid;
        $status = reap($pid, 5);
        $status = 9 if !defined $status || $status == 0;
    }

    $self->{status} = $status if !$self->{status};

    return $status;
}


sub workers_of {
    my ($pid) = @_;

    open my $fh, '<', "/proc/$pid/task/$pid/children" or return ();
    my $line = <$fh>;

    return split ' ', defined $line ? $line : '';
}


# Logs.

sub log { $_[0]->read_file('error.log') }
sub access_log { $_[0]->read_file('access.log') }

sub mark {
    my ($self) = @_;
    return $self->{mark} = -s "$self->{dir}/error.log" || 0;
}


# Waits for a line, after the last mark() if there was one.

sub wait_log {
    my ($self, $regex, $timeout) = @_;
    my $from = $self->{mark} || 0;

    return wait_for { substr($self->log(), $from) =~ $regex }
        $timeout, "log line $regex";
}


# Lines that would fail the test, and are meant to be there.

sub allow_log {
    my ($self, @regexes) = @_;
    push @{$self->{allowed}}, @regexes;
}


# Clients.

sub client {
    my ($self, @arguments) = @_;
    my $opt = ref $arguments[0] eq 'HASH' ? shift @arguments : {};

    my $client = Inlets::Test::Client->new($self, $opt, @arguments);
    push @{$self->{clients}}, $client;

    return $client;
}


# A client that is connected: type, upstream, further arguments.

sub tunnel {
    my ($self, $type, $upstream, @arguments) = @_;

    my $client = $self->client({ token => 1 }, 'client', '-r',
        '127.0.0.1:' . $self->port(0), @arguments, $type, $upstream);

    $client->wait_up()
        or diag("client is not up:\n" . $client->output());

    return $client;
}


# Local services; see Inlets::Test::Service.

sub service {
    my ($self, $kind, @arguments) = @_;
    return Inlets::Test::Service->start($self, $kind, @arguments);
}


# One played by the test itself; see Inlets::Test::Listener.

sub listener {
    my ($self, $port) = @_;
    return Inlets::Test::Listener->start($port);
}


# Connections to port 0, or another: connect(), get(), request().

sub connect {
    my ($self, %opt) = @_;
    $opt{port} = $self->port(0) if !$opt{port};
    return Inlets::Test::Socket->connect(%opt);
}


sub request {
    my ($self, $method, $path, %opt) = @_;

    my $socket = $self->connect(port => $opt{port}, ssl => $opt{ssl},
                                address => $opt{address})
        or return { status => 0, headers => {}, body => '', error => "$!" };

    $socket->send_request($method, $path, close => 1, %opt);

    return $socket->read_response(method => $method,
                                  timeout => $opt{timeout});
}


sub get {
    my ($self, $path, %opt) = @_;
    return $self->request('GET', $path, %opt);
}


# Peers of our own making.

sub websocket {
    my ($self, $path, %opt) = @_;
    $opt{port} = $self->port(0) if !$opt{port};
    return Inlets::Test::WebSocket->connect($path, %opt);
}


sub monitor {
    my ($self, %opt) = @_;
    return $self->websocket($opt{path} || '/_/monitor', %opt);
}


# A monitor that has logged in; its reply is in {reply}.

sub login {
    my ($self, %opt) = @_;

    my $monitor = $self->monitor(%{$opt{connect} || {}});
    $monitor->authenticate(secret => $self->{secret}, %opt);

    return $monitor;
}


# A link of that monitor's tunnel: an Inlets::Test::Yamux.

sub link {
    my ($self, $monitor, %opt) = @_;

    my $reply = $monitor->{reply} || {};
    my $path = sprintf '/_/data?clientId=%s&containerId=%s&mux=1',
                       $reply->{clientId} || '', $reply->{containerId} || '';
    my $ws = $self->websocket($opt{path} || $path, %opt);

    return Inlets::Test::Yamux->new($ws, client => 1);
}


# The end.

sub problems {
    my ($self) = @_;
    my @problems;

    my @logs = map { "$self->{dir}/$_" } qw(error.log nginx.stderr);
    push @logs, map { $_->{file} } @{$self->{clients} || []};

    for my $path (@logs) {
      LINE:
        for my $line (split /\n/, $self->read_file($path)) {
            next if $line !~ /\[(?:alert|emerg|crit)\]|runtime\ error:
                              |Sanitizer|==\d+==\s*(?:ERROR|Invalid|Cond)
                              |definitely\ lost:\s*[1-9]
                              |exited\ on\ signal/x;

            for my $allowed (@{$self->{allowed}}) {
                next LINE if $line =~ $allowed;
            }

            $path =~ s{.*/}{};
            push @problems, "$path: $line";
        }
    }

    return @problems;
}


# Ends everything, and checks what every test has to leave behind: two tests.
# Without a plan it also ends the list of tests.

sub finish {
    my ($self) = @_;

    for my $client (@{$self->{clients} || []}) {
        $client->stop();
    }

    my $ran = defined $self->{pid} || defined $self->{status};
    my $status = $self->stop();

    if ($ran) {
        is($status, 0, 'nginx ended cleanly');

    } else {
        pass('nginx was not left running');
    }

    my @problems = $self->problems();
    splice @problems, 40;

    is(join("\n", @problems), '', 'nothing bad in the logs');

    $self->{done} = 1;
    $finished = 1;

    done_testing() if !Test::More->builder->has_plan
                      && !grep { !$_->{done} } @objects;
}


sub cleanup {
    for my $pid (keys %alive) {
        kill 'TERM', $pid;
    }

    my $end = time() + 5;

    while (%alive && time() < $end) {
        for my $pid (keys %alive) {
            delete $alive{$pid} if waitpid($pid, POSIX::WNOHANG()) != 0;
        }

        sleep 0.01 if %alive;
    }

    for my $pid (keys %alive) {
        kill 'KILL', workers_of($pid), $pid;
        waitpid $pid, 0;
    }
}


END {
    if ($$ == $owner) {
        my $status = $?;
        alarm 0;
        my $failed = !Test::More->builder->is_passing || $status;

        cleanup();

        for my $self (@objects) {
            if ($failed && $ENV{INLETS_VERBOSE}) {
                diag("error.log of $self->{dir}:\n" . $self->log());
            }

            if ($ENV{INLETS_KEEP}) {
                diag("kept: $self->{dir}");

            } else {
                remove_tree($self->{dir});
            }
        }

        $? = $status;

        if (!$status && grep { !$_->{done} } @objects) {
            diag('finish() was not called');
            $? = 255;
        }
    }
}


1;
