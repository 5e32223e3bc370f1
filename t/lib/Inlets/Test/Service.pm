package Inlets::Test::Service;

# Local services to put behind a tunnel: a process that forks for each
# connection.
#
#   http     keep-alive HTTP/1.1, see the routes below
#   echo     TCP: sends back what comes, at once; ends when the peer does
#   collect  TCP: reads to the end, then sends all of it back, and ends
#   greet    TCP: sends a line, half-closes, then reads on to the end
#   source   TCP: sends n bytes (argument) and ends
#   sink     TCP: reads to the end, then sends the number of bytes
#   reset    TCP: reads a byte, then resets
#   hang     TCP: accepts and does nothing
#   closed   nothing listens there
#   CODE     called with an Inlets::Test::Socket for each connection
#
# In front of a kind's own arguments may stand a hash: address => '::1', socket
# => 1 (a Unix socket), tls => [certificate, key], proxy => 1 (a PROXY header
# comes first).

use strict;
use warnings;

use Digest::SHA qw(sha1_base64 sha1_hex);
use IO::Socket::IP;
use IO::Socket::UNIX;
use POSIX ();
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(sleep);

use Inlets::Test::Socket;
use Inlets::Test::WebSocket;

my %kinds = (
    http => \&http,
    echo => \&echo,
    collect => sub { my ($s) = @_; $s->send($s->read_all(60), 60) },
    greet => \&greet,
    source => \&source,
    sink => \&sink,
    reset => sub { my ($s) = @_; $s->read_exact(1, 60); $s->abort() },
    hang => sub { sleep 300 },
);


sub start {
    my ($class, $test, $kind, @arguments) = @_;

    my $opt = ref $arguments[0] eq 'HASH' ? shift @arguments : {};
    my $port = Inlets::Test::free_port();
    my $address = $opt->{address}
                  || ($arguments[0] && $arguments[0] eq 'ipv6' ? '::1'
                                                               : '127.0.0.1');
    my $self = bless {
        test => $test, port => $port, address => $address, opt => $opt,
        log => "$test->{dir}/service.$port.log",
        path => $opt->{socket} ? "$test->{dir}/service.$port.sock" : undef,
    }, $class;

    return $self if $kind eq 'closed';

    my $code = ref $kind ? $kind : $kinds{$kind} || die "no service $kind";

    my $listen = $self->{path}
        ? IO::Socket::UNIX->new(Local => $self->{path}, Listen => 1024)
        : IO::Socket::IP->new(LocalHost => $address, LocalPort => $port,
                              Listen => 1024, ReuseAddr => 1);
    die "listen on $address:$port: $!" if !$listen;

    my $pid = fork();
    die "fork: $!" if !defined $pid;

    if ($pid == 0) {
        Inlets::Test::die_with_parent('KILL');
        $SIG{TERM} = sub { POSIX::_exit(0) };
        $SIG{CHLD} = 'IGNORE';
        serve($self, $listen, $code, @arguments);
        POSIX::_exit(0);
    }

    Inlets::Test::adopt($pid, 'service');
    $self->{pid} = $pid;

    return $self;
}


sub port { $_[0]{port} }


# What the client gets as its upstream.

sub upstream {
    my ($self) = @_;
    return "unix:$self->{path}" if $self->{path};

    return ($self->{opt}{tls} ? 'https://' : '')
           . ($self->{address} eq '::1' ? '[::1]' : $self->{address})
           . ":$self->{port}";
}


# How many connections and, in http, requests there were.

sub connections {
    my ($self) = @_;
    my @all = $self->{test}->read_file($self->{log}) =~ /^connection$/mg;
    return scalar @all;
}


sub requests {
    my ($self) = @_;
    my @all = $self->{test}->read_file($self->{log}) =~ /^request (.*)$/mg;
    return @all;
}


sub last_request { ($_[0]->requests())[-1] }


# What the PROXY headers said: "v1 TCP4 address address port port".

sub proxies {
    my ($self) = @_;
    my @all = $self->{test}->read_file($self->{log}) =~ /^proxy (.*)$/mg;
    return @all;
}


# Ends the listener and, since they die with it, its connections.

sub stop {
    my ($self) = @_;
    my $pid = delete $self->{pid} || return;

    kill 'KILL', $pid;
    Inlets::Test::reap($pid, 5);
}


sub note {
    my ($self, $text) = @_;
    open my $fh, '>>', $self->{log} or return;
    syswrite $fh, "$text\n";
    close $fh;
}


sub serve {
    my ($self, $listen, $code, @arguments) = @_;

    for ( ;; ) {
        my $fh = $listen->accept() or next;
        my $pid = fork();

        if (!defined $pid || $pid != 0) {
            close $fh;
            next;
        }

        close $listen;
        Inlets::Test::die_with_parent('KILL');
        $SIG{$_} = 'DEFAULT' for qw(TERM CHLD);
        srand;

        setsockopt $fh, IPPROTO_TCP, TCP_NODELAY, 1 if !$self->{path};
        note($self, 'connection');

        note($self, 'proxy ' . read_proxy($fh)) if $self->{opt}{proxy};
        $fh = start_tls($self, $fh) if $self->{opt}{tls};

        my $socket = Inlets::Test::Socket->new($fh);
        eval { $code->($socket, $self, @arguments); 1 }
            or note($self, "died: $@");

        close $fh;
        POSIX::_exit(0);
    }
}


sub start_tls {
    my ($self, $fh) = @_;

    require IO::Socket::SSL;

    my $ssl = IO::Socket::SSL->start_SSL($fh, SSL_server => 1,
        SSL_cert_file => $self->{opt}{tls}[0],
        SSL_key_file => $self->{opt}{tls}[1]);

    POSIX::_exit(0) if !$ssl;
    note($self, 'sni ' . ($ssl->get_servername() || 'none'));

    return $ssl;
}


# Not one byte more than the header.

sub read_proxy {
    my ($fh) = @_;
    my $head = '';
    my $take = sub {
        my ($n) = @_;

        while ($n > 0) {
            my $got = sysread $fh, $head, $n, length $head;
            return 0 if !$got;
            $n -= $got;
        }

        return 1;
    };

    $take->(12) or return 'cut';

    if ($head ne "\r\n\r\n\0\r\nQUIT\n") {
        while ($head !~ /\n\z/) {
            $take->(1) or return 'cut';
        }

        return $head =~ /\APROXY ([\x20-\x7e]+)\r\n\z/ ? "v1 $1"
                                                         : 'v1 wrong';
    }

    $take->(4) or return 'cut';

    my ($command, $family, $len) = unpack 'x12 C C n', $head;

    $take->($len) or return 'cut';

    return 'v2 LOCAL' if $command == 0x20;
    return 'v2 wrong' if $command != 0x21 || $family !~ /^(?:17|33)$/;

    my $size = $family == 17 ? 4 : 16;
    my ($from, $to, @ports) = unpack "x16 a$size a$size n n", $head;

    return join ' ', 'v2', $family == 17 ? 'TCP4' : 'TCP6',
                (map { Socket::inet_ntop($size == 4 ? Socket::AF_INET
                                                    : Socket::AF_INET6, $_) }
                     $from, $to), @ports;
}


sub echo {
    my ($s) = @_;

    for ( ;; ) {
        my $got = $s->fill(300);
        return if !$got;
        $s->send($s->delete_buffer(), 300) or return;
    }
}


sub greet {
    my ($s, $self) = @_;

    $s->send("hello\n");
    $s->shutdown();

    my $data = $s->read_all(60);
    note($self, 'got ' . length($data) . ' ' . sha1_hex($data));
}


sub source {
    my ($s, $self, $n) = @_;
    my $block = pattern(65536);

    for (my $left = $n; $left > 0; $left -= 65536) {
        $s->send($left >= 65536 ? $block : substr($block, 0, $left), 300)
            or return;
    }
}


sub sink {
    my ($s) = @_;
    my $n = 0;

    while (my $got = $s->fill(300)) {
        $n += $got;
        $s->delete_buffer();
    }

    $s->send("$n\n");
}


# n bytes that differ from place to place, the same every time.

my $line = join '', map { sprintf '%07x ', $_ * 2654435761 % 268435399 }
                        1 .. 1024;


sub pattern {
    my ($n) = @_;
    return substr $line x (int($n / length $line) + 1), 0, $n;
}


# HTTP.

my %routes = (
    '/' => sub { reply($_[0], $_[1], 200, "it works\n") },
    '/bytes' => \&bytes,            # ?n=: that many
    '/chunked' => \&chunked,        # ?n=&size=&ms=: chunks
    '/close' => \&until_close,      # ?n=: no length, ended by closing
    '/cut' => \&cut,                # ?n=&of=: ends too early
    '/early' => \&early,            # answers before it has read the body
    '/echo' => \&echo_request,      # the request as it came, as text
    '/hang' => sub { sleep 300 },
    '/post' => \&post,              # length and SHA-1 of the body
    '/reset' => sub { $_[0]->abort(); POSIX::_exit(0) },
    '/slow' => \&slow,              # ?ms=: waits first
    '/sse' => \&sse,                # ?n=&ms=: events
    '/status' => \&status,          # ?code=
    '/trailers' => \&trailers,
    '/ws' => \&websocket,           # echoes messages
);


sub http {
    my ($s, $self) = @_;

    for ( ;; ) {
        my $head = $s->read_until(qr/\r\n\r\n/, 300);
        return if !defined $head;

        my ($line, @lines) = split /\r\n/, $head, -1;
        my ($method, $uri, $version) = $line =~ m{^(\S+) (\S+) HTTP/(\S+)$};

        if (!defined $method) {
            $s->send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n"
                     . "Connection: close\r\n\r\n");
            return;
        }

        note($self, "request $method $uri");

        my ($path, $query) = split /\?/, $uri, 2;
        my %request = (
            method => $method, uri => $uri, path => $path, head => $head,
            version => $version,
            headers => Inlets::Test::Socket::headers(@lines),
            query => { map { (split /=/, "$_=", 3)[0, 1] }
                           split /&/, defined $query ? $query : '' },
        );

        my $route = $routes{$path};

        if (!$route) {
            $route = sub { reply($_[0], $_[1], 404, "no such route\n") };
        }

        $request{keep} = ($request{headers}{connection} || '') !~ /close/i
                         && $version eq '1.1';
        $s->send("HTTP/1.1 100 Continue\r\n\r\n")
            if ($request{headers}{expect} || '') =~ /100-continue/i
               && $path ne '/early';

        $route->($s, \%request);

        discard($s, \%request);
        return if !$request{keep};
    }
}


# Calls back with pieces of the body as they come.

sub read_body {
    my ($s, $request, $code) = @_;
    return if $request->{read}++;

    if (($request->{headers}{'transfer-encoding'} || '') =~ /chunked/i) {
        for ( ;; ) {
            my $line = $s->read_until(qr/\r\n/, 300);
            return if !defined $line || $line !~ /^([0-9a-f]+)/i;
            my $size = hex $1;
            last if $size == 0;
            $code->(substr $s->read_exact($size + 2, 300), 0, $size);
        }

        $s->read_until(qr/\r\n/, 300);
        return;
    }

    my $left = $request->{headers}{'content-length'} || 0;

    while ($left > 0) {
        my $n = $left < 65536 ? $left : 65536;
        my $piece = $s->read_exact($n, 300);
        last if $piece eq '';
        $code->($piece);
        $left -= length $piece;
    }
}


sub discard {
    my ($s, $request) = @_;
    read_body($s, $request, sub { });
}


sub head {
    my ($s, $request, $status, @headers) = @_;
    my $text = "HTTP/1.1 $status " . ($status < 300 ? 'OK' : 'Status')
               . "\r\n";

    while (@headers) {
        my ($name, $value) = splice @headers, 0, 2;
        $text .= "$name: $value\r\n";
    }

    $text .= "Connection: close\r\n" if !$request->{keep};

    return "$text\r\n";
}


sub reply {
    my ($s, $request, $status, $body, @headers) = @_;
    my $text = head($s, $request, $status,
                    'Content-Type' => 'text/plain',
                    'Content-Length' => length $body, @headers);

    $text .= $body if $request->{method} ne 'HEAD';
    $s->send($text, 300);
}


sub bytes {
    my ($s, $request) = @_;
    my $n = $request->{query}{n} || 0;
    my $block = pattern(65536);

    $s->send(head($s, $request, 200, 'Content-Length' => $n,
                  'Content-Type' => 'application/octet-stream'));
    return if $request->{method} eq 'HEAD';

    for (my $left = $n; $left > 0; $left -= 65536) {
        $s->send($left >= 65536 ? $block : substr($block, 0, $left), 300)
            or do { $request->{keep} = 0; return };
    }
}


sub chunked {
    my ($s, $request) = @_;
    my $size = $request->{query}{size} || 10;

    $s->send(head($s, $request, 200, 'Transfer-Encoding' => 'chunked'));

    for my $i (1 .. $request->{query}{n} || 3) {
        $s->send(sprintf "%x\r\n%s\r\n", $size, pattern($size)) or return;
        sleep $request->{query}{ms} / 1000 if $request->{query}{ms};
    }

    $s->send("0\r\n\r\n");
}


sub until_close {
    my ($s, $request) = @_;
    $request->{keep} = 0;
    $s->send(head($s, $request, 200) . pattern($request->{query}{n} || 10),
             300);
}


sub cut {
    my ($s, $request) = @_;
    my $n = $request->{query}{n} || 10;

    $request->{keep} = 0;
    $s->send(head($s, $request, 200,
                  'Content-Length' => $request->{query}{of} || 1000)
             . pattern($n));
}


sub early {
    my ($s, $request) = @_;
    $request->{keep} = 0;
    $request->{read} = 1;
    reply($s, $request, 413, "too much\n");
}


sub echo_request {
    my ($s, $request) = @_;
    my $body = '';

    read_body($s, $request, sub { $body .= $_[0] });
    reply($s, $request, 200, $request->{head} . $body);
}


sub post {
    my ($s, $request) = @_;
    my $sha = Digest::SHA->new(1);
    my $n = 0;

    read_body($s, $request, sub { $sha->add($_[0]); $n += length $_[0] });
    reply($s, $request, 200, $n . ' ' . $sha->hexdigest() . "\n");
}


sub slow {
    my ($s, $request) = @_;
    sleep(($request->{query}{ms} || 1000) / 1000);
    reply($s, $request, 200, "slow\n");
}


sub sse {
    my ($s, $request) = @_;

    $request->{keep} = 0;
    $s->send(head($s, $request, 200, 'Content-Type' => 'text/event-stream',
                  'Cache-Control' => 'no-cache'));

    for my $i (1 .. $request->{query}{n} || 5) {
        $s->send("data: $i\n\n") or return;
        sleep(($request->{query}{ms} || 200) / 1000);
    }
}


sub status {
    my ($s, $request) = @_;
    my $code = $request->{query}{code} || 200;

    if ($code == 204 || $code == 304) {
        $s->send(head($s, $request, $code));

    } else {
        reply($s, $request, $code, "status $code\n");
    }
}


sub trailers {
    my ($s, $request) = @_;
    $s->send(head($s, $request, 200, 'Transfer-Encoding' => 'chunked',
                  'Trailer' => 'X-Check')
             . "5\r\nhello\r\n0\r\nX-Check: passed\r\n\r\n");
}


sub websocket {
    my ($s, $request) = @_;
    my $key = $request->{headers}{'sec-websocket-key'} || '';
    my $accept = sha1_base64($key . '258EAFA5-E914-47DA-95CA-C5AB0DC85B11');
    $accept .= '=' while length($accept) % 4;

    $request->{keep} = 0;
    $request->{read} = 1;
    $s->send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
             . "Connection: Upgrade\r\nSec-WebSocket-Accept: $accept\r\n\r\n");

    my $ws = bless { socket => $s, mask => 0 }, 'Inlets::Test::WebSocket';

    while (my $frame = $ws->read_frame(300)) {
        $ws->frame($frame->{opcode}, $frame->{payload});
        last if $frame->{opcode} == 8;
    }
}


1;
