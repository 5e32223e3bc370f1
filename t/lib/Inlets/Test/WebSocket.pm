package Inlets::Test::WebSocket;

# A WebSocket client that can do everything right, and anything wrong.

use strict;
use warnings;

use Digest::SHA qw(sha1_base64 hmac_sha512_hex);
use JSON::PP;
use MIME::Base64;
use Time::HiRes qw(time);

use Inlets::Test::Socket;

use constant { CONTINUATION => 0, TEXT => 1, BINARY => 2, CLOSE => 8,
               PING => 9, PONG => 10 };

my $json = JSON::PP->new->utf8->canonical->allow_nonref;


# handshake_text(): host, key, headers (pairs; a value of undef removes one of
# the usual ones).

sub handshake_text {
    my ($path, %opt) = @_;

    my @more = @{$opt{headers} || []};
    my @usual = (
        'Upgrade' => 'websocket',
        'Connection' => 'Upgrade',
        'Sec-WebSocket-Key' => $opt{key} || 'dGhlIHNhbXBsZSBub25jZQ==',
        'Sec-WebSocket-Version' => '13',
    );
    my (%other, @headers);

    for (my $i = 0; $i < @more; $i += 2) {
        $other{lc $more[$i]} = 1;
        push @headers, @more[$i, $i + 1] if defined $more[$i + 1];
    }

    for (my $i = 0; $i < @usual; $i += 2) {
        push @headers, @usual[$i, $i + 1] if !$other{lc $usual[$i]};
    }

    return Inlets::Test::Socket::request_text($opt{method} || 'GET', $path,
        host => $opt{host}, version => $opt{version}, headers => \@headers);
}


# Connects and shakes hands; {status} and {response} tell how that went.
# early: bytes sent together with the handshake.

sub connect {
    my ($class, $path, %opt) = @_;

    my $socket = Inlets::Test::Socket->connect(%opt)
        or die "connect to $opt{port}: $!";

    my $self = bless { socket => $socket, status => 0, mask => 1,
                       events => [] }, $class;

    $socket->send(handshake_text($path, %opt)
                  . (defined $opt{early} ? $opt{early} : ''));

    $self->{response} = $socket->read_response(timeout => $opt{timeout});
    $self->{status} = $self->{response}{status};

    return $self;
}


sub socket { $_[0]{socket} }
sub status { $_[0]{status} }


sub accept_ok {
    my ($self, $key) = @_;
    $key ||= 'dGhlIHNhbXBsZSBub25jZQ==';

    my $digest = sha1_base64($key . '258EAFA5-E914-47DA-95CA-C5AB0DC85B11');
    $digest .= '=' while length($digest) % 4;

    return ($self->{response}{headers}{'sec-websocket-accept'} || '')
           eq $digest;
}


# One frame.  opt: fin, rsv (0..7), mask (0 or 1), key (4 bytes), length (a
# lie about it), bytes (2 or 8: a length that isn't minimal).

sub frame_text {
    my ($self, $opcode, $payload, %opt) = @_;

    my $fin = defined $opt{fin} ? $opt{fin} : 1;
    my $mask = defined $opt{mask} ? $opt{mask}
               : ref $self ? $self->{mask} : 1;
    my $length = defined $opt{length} ? $opt{length} : length $payload;
    my $bytes = $opt{bytes} || ($length < 126 ? 0 : $length < 65536 ? 2 : 8);

    my $frame = pack 'C', $fin << 7 | ($opt{rsv} || 0) << 4 | $opcode;

    $frame .= pack 'C', $mask << 7 | ($bytes == 0 ? $length
                                      : $bytes == 2 ? 126 : 127);
    $frame .= pack 'n', $length if $bytes == 2;
    $frame .= pack 'Q>', $length if $bytes == 8;

    if ($mask) {
        my $key = defined $opt{key} ? $opt{key}
                  : pack 'N', int rand 0xffffffff;
        $payload = mask($payload, $key);
        $frame .= $key;
    }

    return $frame . $payload;
}


sub mask {
    my ($data, $key) = @_;
    my $n = length $data;
    return $data ^ substr $key x (int($n / 4) + 1), 0, $n;
}


sub frame {
    my ($self, $opcode, $payload, %opt) = @_;
    return $self->{socket}->send($self->frame_text($opcode, $payload, %opt));
}


# The next frame: { opcode, fin, rsv, masked, payload }; undef: time-out or
# the end.

sub read_frame {
    my ($self, $timeout) = @_;
    my $socket = $self->{socket};
    my $need = 2;

    my $frame = sub {
        my $b = $socket->{buffer};
        return 0 if length $b < 2;

        my ($first, $second) = unpack 'CC', $b;
        my $length = $second & 127;
        my $at = 2;

        if ($length == 126) {
            return 0 if length $b < 4;
            $length = unpack 'x2n', $b;
            $at = 4;

        } elsif ($length == 127) {
            return 0 if length $b < 10;
            $length = unpack 'x2Q>', $b;
            $at = 10;
        }

        my $masked = $second >> 7;
        $need = $at + ($masked ? 4 : 0) + $length;
        return 0 if length $b < $need;

        my $payload = substr $b, $need - $length, $length;
        $payload = mask($payload, substr $b, $at, 4) if $masked;
        substr $socket->{buffer}, 0, $need, '';

        return { opcode => $first & 15, fin => $first >> 7,
                 rsv => $first >> 4 & 7, masked => $masked,
                 payload => $payload };
    };

    my $got;
    $socket->wait_buffer(sub { $got = $frame->() }, $timeout);

    return $got || undef;
}


# A whole text or binary message; pings are answered on the way.

sub read_message {
    my ($self, $timeout) = @_;
    my $message = '';

    while (my $frame = $self->read_frame($timeout)) {
        if ($frame->{opcode} == PING) {
            $self->frame(PONG, $frame->{payload});
            next;
        }

        next if $frame->{opcode} == PONG;

        if ($frame->{opcode} == CLOSE) {
            $self->{closed} = length $frame->{payload} >= 2
                ? [ unpack 'na*', $frame->{payload} ] : [ 1005, '' ];
            return undef;
        }

        $message .= $frame->{payload};
        return $message if $frame->{fin};
    }

    return undef;
}


sub ended { $_[0]{socket}->ended($_[1]) }
sub close { $_[0]{socket}->close() }
sub abort { $_[0]{socket}->abort() }


# Events of a monitor.

sub event {
    my ($self, @event) = @_;
    return $self->frame(TEXT, $json->encode(\@event));
}


# The next event, [name, payload]; pongs and @@CONFIG are noted, not returned.

sub read_event {
    my ($self, $timeout) = @_;
    my $message = $self->read_message($timeout);

    return undef if !defined $message;

    my $event = eval { $json->decode($message) };
    return [ 'not JSON', $message ] if ref $event ne 'ARRAY';

    push @{$self->{events}}, $event;

    return $event;
}


# Waits for an event of that name, and returns its payload.

sub wait_event {
    my ($self, $name, $timeout) = @_;
    my $end = time() + ($timeout || 10) * $Inlets::Test::SLOW;

    while (time() < $end) {
        my $event = $self->read_event($timeout) or return undef;
        return defined $event->[1] ? $event->[1] : 1
            if $event->[0] eq $name;
    }

    return undef;
}


# Sends "authenticate" and returns the reply, also kept in {reply}.
# secret, type, name (subDomain), port (tunnelPort), resume, auth, client,
# flags, fields => {...} replaces or (undef) removes any field.

sub authenticate {
    my ($self, %opt) = @_;
    $self->event('authenticate', $self->claim(%opt));
    return $self->{reply} = $self->wait_event('authenticate', $opt{timeout})
                            || {};
}


sub claim {
    my ($self, %opt) = @_;

    my $timestamp = int(time() * 1000);
    my $auth = $opt{auth} || 'token';
    my $secret = $auth eq 'public' ? 'public' : $opt{secret};
    my %claim = (
        version => '2.0.0',
        type => $opt{type} || 'http',
        port => 80,
        timestamp => $timestamp,
        authType => $auth,
        signature => hmac_sha512_hex($timestamp, $secret),
        capabilities => {
            flags => defined $opt{flags} ? $opt{flags} : 65536,
            version => '2.0.0',
            features => { mux => { version => 1, links => 2,
                                   window => 1048576,
                                   %{$opt{mux} || {}} } },
        },
    );

    $claim{subDomain} = $opt{name} if defined $opt{name};
    $claim{tunnelPort} = $opt{port} if $opt{port};
    $claim{resume} = $opt{resume} if defined $opt{resume};
    $claim{clientId} = $opt{client} if defined $opt{client};

    for my $key (keys %{$opt{fields} || {}}) {
        $claim{$key} = $opt{fields}{$key};
        delete $claim{$key} if !defined $claim{$key};
    }

    return \%claim;
}


1;
