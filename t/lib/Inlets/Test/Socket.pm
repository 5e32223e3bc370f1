package Inlets::Test::Socket;

# A connection with time-outs, and just enough HTTP/1.1 to see all of it.

use strict;
use warnings;

use IO::Select;
use IO::Socket::IP;
use Socket qw(AF_UNIX PF_UNSPEC SOCK_STREAM SOL_SOCKET SO_LINGER SO_RCVBUF
              IPPROTO_TCP TCP_NODELAY SHUT_WR);
use Time::HiRes qw(time);


# connect(port => N, address => '127.0.0.1', ssl => 1, sni => 'name',
# alpn => 'h2', rcvbuf => bytes, local => address): undef on failure, with $!.

sub connect {
    my ($class, %opt) = @_;

    my %argument = (
        PeerHost => $opt{address} || '127.0.0.1',
        PeerPort => $opt{port},
        Timeout => 10,
    );
    $argument{LocalHost} = $opt{local} if $opt{local};
    $argument{Sockopts} = [ [ SOL_SOCKET, SO_RCVBUF, pack('i', $opt{rcvbuf}) ] ]
        if $opt{rcvbuf};

    my $fh = IO::Socket::IP->new(%argument) or return undef;

    setsockopt $fh, IPPROTO_TCP, TCP_NODELAY, 1;

    if ($opt{ssl}) {
        require IO::Socket::SSL;
        $fh = IO::Socket::SSL->start_SSL($fh,
            SSL_verify_mode => 0,
            SSL_hostname => $opt{sni} || 'example.com',
            ($opt{alpn} ? (SSL_alpn_protocols => [ $opt{alpn} ]) : ()),
        ) or return undef;
    }

    return $class->new($fh);
}


sub new {
    my ($class, $fh) = @_;
    binmode $fh;
    return bless { fh => $fh, buffer => '', eof => 0, reset => 0 }, $class;
}


# A connection whose reset was met by connect() itself.

sub gone {
    my ($class) = @_;

    socketpair my $fh, my $peer, AF_UNIX, SOCK_STREAM, PF_UNSPEC or return undef;

    my $self = $class->new($fh);
    @$self{qw(eof reset)} = (1, 1);

    return $self;
}


sub fh { $_[0]{fh} }
sub reset_seen { $_[0]{reset} }
sub local_port { $_[0]{fh}->sockport }


# Sends all of it; false once the peer has gone or takes nothing in time.

sub send {
    my ($self, $data, $timeout) = @_;

    my $end = time() + ($timeout || 10) * $Inlets::Test::SLOW;
    my $select = IO::Select->new($self->{fh});

    while (length $data) {
        $select->can_write($end - time() > 0 ? $end - time() : 0)
            or return 0;

        my $sent = syswrite $self->{fh}, $data, 65536;

        if (!defined $sent) {
            next if $!{EINTR} || $!{EAGAIN};
            return 0;
        }

        substr $data, 0, $sent, '';
    }

    return 1;
}


# Piece by piece: each byte, or each n bytes, in a segment of its own.

sub send_slowly {
    my ($self, $data, $n, $pause) = @_;
    $n ||= 1;

    for (my $i = 0; $i < length $data; $i += $n) {
        $self->send(substr $data, $i, $n) or return 0;
        Time::HiRes::sleep($pause) if $pause;
    }

    return 1;
}


# Reads what there is into the buffer: bytes, 0 at the end, undef in time-out.

sub fill {
    my ($self, $timeout) = @_;
    return 0 if $self->{eof};

    my $fh = $self->{fh};

    if (!($fh->can('pending') && $fh->pending)) {
        IO::Select->new($fh)->can_read($timeout) or return undef;
    }

    my $got = sysread $fh, $self->{buffer}, 65536, length $self->{buffer};

    if (!defined $got) {
        return undef if $!{EAGAIN} || $!{EINTR};
        $self->{reset} = 1 if $!{ECONNRESET};
        $got = 0;
    }

    $self->{eof} = 1 if $got == 0;

    return $got;
}


sub wait_buffer {
    my ($self, $code, $timeout) = @_;
    my $end = time() + ($timeout || 10) * $Inlets::Test::SLOW;

    until ($code->()) {
        my $left = $end - time();
        return 0 if $left <= 0 || $self->{eof};
        $self->fill($left);
    }

    return 1;
}


# Exactly n bytes; fewer at the end or in time-out.

sub read_exact {
    my ($self, $n, $timeout) = @_;
    $self->wait_buffer(sub { length $self->{buffer} >= $n }, $timeout);
    return substr $self->{buffer}, 0, $n, '';
}


# Up to and with what the regex matches; undef if it doesn't come.

sub read_until {
    my ($self, $regex, $timeout) = @_;

    $self->wait_buffer(sub { $self->{buffer} =~ $regex }, $timeout)
        or return undef;

    $self->{buffer} =~ $regex;

    return substr $self->{buffer}, 0, $+[0], '';
}


sub read_line { $_[0]->read_until(qr/\n/, $_[1]) }


# All until the peer ends.

sub read_all {
    my ($self, $timeout) = @_;
    $self->wait_buffer(sub { 0 }, $timeout);
    return delete_buffer($self);
}


sub delete_buffer {
    my ($self) = @_;
    my $data = $self->{buffer};
    $self->{buffer} = '';
    return $data;
}


# True if nothing comes for that long.

sub silent {
    my ($self, $seconds) = @_;
    return 0 if length $self->{buffer};
    return !defined $self->fill($seconds);
}


# True if the peer ended or reset the connection within the time.

sub ended {
    my ($self, $timeout) = @_;
    $self->wait_buffer(sub { $self->{eof} }, $timeout);
    return $self->{eof};
}


sub shutdown { CORE::shutdown $_[0]{fh}, SHUT_WR }


sub close {
    my ($self) = @_;
    CORE::close $self->{fh};
}


# Ends with a TCP reset.

sub abort {
    my ($self) = @_;
    setsockopt $self->{fh}, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0);
    CORE::close $self->{fh};
}


# HTTP.  request_text(): host, headers (a list of pairs), body, version,
# close => 1, chunked => [pieces].

sub request_text {
    my ($method, $path, %opt) = @_;

    my $version = $opt{version} || '1.1';
    my $host = defined $opt{host} ? $opt{host} : 'example.com';
    my @headers = @{$opt{headers} || []};
    my $text = "$method $path HTTP/$version\r\n";

    $text .= "Host: $host\r\n" if $host ne '';

    while (@headers) {
        my ($name, $value) = splice @headers, 0, 2;
        $text .= "$name: $value\r\n";
    }

    $text .= "Connection: close\r\n" if $opt{close};

    if ($opt{chunked}) {
        $text .= "Transfer-Encoding: chunked\r\n\r\n";
        $text .= sprintf "%x\r\n%s\r\n", length $_, $_ for @{$opt{chunked}};
        $text .= "0\r\n\r\n";

    } elsif (defined $opt{body}) {
        $text .= 'Content-Length: ' . length($opt{body}) . "\r\n\r\n"
                 . $opt{body};

    } else {
        $text .= "\r\n";
    }

    return $text;
}


sub send_request {
    my ($self, $method, $path, %opt) = @_;
    return $self->send(request_text($method, $path, %opt), $opt{timeout});
}


# A response: status, reason, version, head, headers (lower case names, values
# joined by ", "), body, trailers, interim (statuses of 1xx), complete.

sub read_response {
    my ($self, %opt) = @_;

    my $timeout = $opt{timeout};
    my %response = (status => 0, headers => {}, body => '', trailers => {},
                    interim => [], complete => 0, head => '');

    for ( ;; ) {
        my $head = $self->read_until(qr/\r\n\r\n/, $timeout);

        if (!defined $head) {
            $response{head} = $self->{buffer};
            return \%response;
        }

        my ($line, @lines) = split /\r\n/, $head;

        @response{qw(version status reason)}
            = $line =~ m{^HTTP/(\d\.\d) (\d\d\d) ?(.*)$};
        $response{status} ||= 0;
        $response{head} = $head;
        $response{headers} = headers(@lines);

        last if $response{status} !~ /^1/ || $response{status} == 101;

        push @{$response{interim}}, $response{status};
    }

    my $headers = $response{headers};

    if ($response{status} =~ /^(?:101|204|304)$/
        || ($opt{method} || '') eq 'HEAD')
    {
        $response{complete} = 1;

    } elsif (($headers->{'transfer-encoding'} || '') =~ /chunked/i) {
        $self->read_chunked(\%response, $timeout);

    } elsif (defined $headers->{'content-length'}) {
        $response{body} = $self->read_exact($headers->{'content-length'},
                                            $timeout);
        $response{complete} = length $response{body}
                              == $headers->{'content-length'};

    } else {
        $response{body} = $self->read_all($timeout);
        $response{complete} = $self->{eof} && !$self->{reset};
    }

    return \%response;
}


# The head of a request: method, uri, headers, head; undef if none comes.

sub read_request_head {
    my ($self, $timeout) = @_;

    my $head = $self->read_until(qr/\r\n\r\n/, $timeout);
    return undef if !defined $head;

    my ($line, @lines) = split /\r\n/, $head;
    my ($method, $uri, $version) = $line =~ m{^(\S+) (\S+) HTTP/(\S+)$};

    return { method => $method, uri => $uri, version => $version,
             head => $head, headers => headers(@lines) };
}


sub read_chunked {
    my ($self, $response, $timeout) = @_;

    for ( ;; ) {
        my $line = $self->read_until(qr/\r\n/, $timeout);
        return if !defined $line || $line !~ /^([0-9a-fA-F]+)/;

        my $size = hex $1;
        last if $size == 0;

        my $chunk = $self->read_exact($size + 2, $timeout);
        $response->{body} .= substr $chunk, 0, $size;
        return if length $chunk < $size + 2;
    }

    my $rest = $self->read_until(qr/(?:^|\r\n)\r\n/, $timeout);
    return if !defined $rest;

    $response->{trailers} = headers(split /\r\n/, $rest);
    $response->{complete} = 1;
}


sub headers {
    my %headers;

    for my $line (@_) {
        my ($name, $value) = $line =~ /^([^:]+):[ \t]*(.*?)[ \t]*$/ or next;
        $name = lc $name;
        $headers{$name} = defined $headers{$name} ? "$headers{$name}, $value"
                                                  : $value;
    }

    return \%headers;
}


1;
