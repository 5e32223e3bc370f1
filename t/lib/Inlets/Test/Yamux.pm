package Inlets::Test::Yamux;

# A link as the client has it: yamux frames in binary WebSocket messages.

use strict;
use warnings;

use Time::HiRes qw(time);

use Inlets::Test::WebSocket;

use constant { DATA => 0, WINDOW => 1, PING => 2, GO_AWAY => 3 };
use constant { SYN => 1, ACK => 2, FIN => 4, RST => 8 };

my $SIGNATURE = "\r\n\r\n\0\r\nQUIT\n";


sub new {
    my ($class, $ws, %opt) = @_;

    return bless { ws => $ws, buffer => '', streams => {}, queue => [],
                   update => 1, next => $opt{client} ? 1 : 2 }, $class;
}


sub ws { $_[0]{ws} }
sub status { $_[0]{ws}{status} }
sub ended { $_[0]{ws}->ended($_[1]) }
sub close { $_[0]{ws}->close() }
sub abort { $_[0]{ws}->abort() }


# Without it no window update is sent for data that arrives.

sub auto_update {
    my ($self, $on) = @_;
    $self->{update} = $on;
}


sub header {
    my ($type, $flags, $id, $length, $version) = @_;
    return pack 'CCnNN', $version || 0, $type, $flags, $id, $length;
}


# One frame, in a message of its own.  length: a lie about it.

sub frame {
    my ($self, $type, $flags, $id, $payload, %opt) = @_;

    my $length = defined $opt{length} ? $opt{length}
                 : $type == DATA ? length $payload : $payload;
    my $data = header($type, $flags, $id, $length, $opt{version});
    $data .= $payload if $type == DATA;

    return $self->raw($data);
}


sub raw {
    my ($self, $data) = @_;
    return $self->{ws}->frame(Inlets::Test::WebSocket::BINARY, $data);
}


# The next frame { type, flags, id, length, payload }, whatever it is.

sub read_frame {
    my ($self, $timeout) = @_;

    my $need = sub {
        while (length $self->{buffer} < $_[0]) {
            my $message = $self->{ws}->read_message($timeout);
            return 0 if !defined $message;
            $self->{buffer} .= $message;
        }

        return 1;
    };

    $need->(12) or return undef;

    my ($version, $type, $flags, $id, $length)
        = unpack 'CCnNN', $self->{buffer};
    my $size = $type == DATA ? $length : 0;

    $need->(12 + $size) or return undef;
    substr $self->{buffer}, 0, 12, '';

    return { version => $version, type => $type, flags => $flags, id => $id,
             length => $length,
             payload => substr $self->{buffer}, 0, $size, '' };
}


# Reads one frame and does what a good peer would: answers pings, notes
# credit, and files data under its stream.  False: time-out or the end.

sub turn {
    my ($self, $timeout) = @_;
    my $frame = $self->read_frame($timeout) or return undef;
    my ($type, $flags, $id) = @$frame{qw(type flags id)};

    if ($type == PING) {
        $self->frame(PING, ACK, 0, $frame->{length}) if $flags & SYN;
        return $frame;
    }

    if ($type == GO_AWAY) {
        $self->{go_away} = $frame->{length};
        return $frame;
    }

    my $stream = $self->{streams}{$id};

    if ($flags & SYN) {
        $stream = $self->{streams}{$id} = { id => $id, data => '', link => $self,
            credit => 262144, taken => 0 };
        bless $stream, 'Inlets::Test::Yamux::Stream';
        push @{$self->{queue}}, $stream;
        $self->frame(WINDOW, ACK, $id, 0) if $self->{update};
    }

    return $frame if !$stream;

    $stream->{data} .= $frame->{payload} if $type == DATA;
    $stream->{credit} += $frame->{length} if $type == WINDOW;
    $stream->{fin} = 1 if $flags & FIN;
    $stream->{reset} = 1 if $flags & RST;

    if ($type == DATA && $frame->{length} && $self->{update}
        && !($flags & (FIN | RST)))
    {
        $self->frame(WINDOW, 0, $id, $frame->{length});
    }

    return $frame;
}


# The next stream that the edge opened; its PROXY header is taken off and
# parsed into {proxy}.

sub accept {
    my ($self, $timeout) = @_;
    my $end = time() + ($timeout || 10) * $Inlets::Test::SLOW;

    while (!@{$self->{queue}}) {
        return undef if time() > $end || !$self->turn($timeout);
    }

    my $stream = shift @{$self->{queue}};
    $stream->read_proxy($timeout);

    return $stream;
}


# Opens a stream ourselves, which the edge does not allow.

sub open {
    my ($self) = @_;
    my $id = $self->{next};

    $self->{next} += 2;
    $self->frame(WINDOW, SYN, $id, 0);

    return $id;
}


package Inlets::Test::Yamux::Stream;

use strict;
use warnings;

use Socket qw(inet_ntop AF_INET AF_INET6);
use Time::HiRes qw(time);


sub id { $_[0]{id} }


sub wait_data {
    my ($self, $code, $timeout) = @_;
    my $end = time() + ($timeout || 10) * $Inlets::Test::SLOW;

    until ($code->()) {
        return 0 if $self->{fin} || $self->{reset} || time() > $end;
        $self->{link}->turn($timeout) or return 0;
    }

    return 1;
}


sub read_exact {
    my ($self, $n, $timeout) = @_;
    $self->wait_data(sub { length $self->{data} >= $n }, $timeout);
    return substr $self->{data}, 0, $n, '';
}


sub read_until {
    my ($self, $regex, $timeout) = @_;

    $self->wait_data(sub { $self->{data} =~ $regex }, $timeout)
        or return undef;
    $self->{data} =~ $regex;

    return substr $self->{data}, 0, $+[0], '';
}


# All data until FIN or RST.

sub read_all {
    my ($self, $timeout) = @_;
    $self->wait_data(sub { 0 }, $timeout);
    return substr $self->{data}, 0, length $self->{data}, '';
}


sub wait_fin { $_[0]->wait_data(sub { $_[0]{fin} }, $_[1]); $_[0]{fin} }


sub wait_reset {
    my ($self, $timeout) = @_;
    my $end = time() + ($timeout || 10) * $Inlets::Test::SLOW;

    while (!$self->{reset} && time() < $end) {
        $self->{link}->turn($timeout) or last;
    }

    return $self->{reset};
}


sub send {
    my ($self, $data, $flags) = @_;
    return $self->{link}->frame(0, $flags || 0, $self->{id}, $data);
}


# Data within the credit that the edge gave, waiting for more of it.

sub send_all {
    my ($self, $data, $timeout) = @_;

    while (length $data) {
        $self->wait_data(sub { $self->{credit} > 0 }, $timeout) or return 0;

        my $n = $self->{credit} < 16384 ? $self->{credit} : 16384;
        my $piece = substr $data, 0, $n, '';
        $self->{credit} -= length $piece;
        $self->send($piece) or return 0;
    }

    return 1;
}


sub fin { $_[0]{link}->frame(1, 4, $_[0]{id}, 0) }
sub reset { $_[0]{link}->frame(1, 8, $_[0]{id}, 0) }


# A whole HTTP answer.

sub respond {
    my ($self, $status, $body, @headers) = @_;
    my $text = "HTTP/1.1 $status OK\r\n";

    while (@headers) {
        my ($name, $value) = splice @headers, 0, 2;
        $text .= "$name: $value\r\n";
    }

    return $self->send_all($text . 'Content-Length: ' . length($body)
                           . "\r\n\r\n" . $body);
}


sub read_proxy {
    my ($self, $timeout) = @_;
    my $fixed = $self->read_exact(16, $timeout);

    return if length $fixed < 16 || substr($fixed, 0, 12) ne $SIGNATURE;

    my ($command, $family, $length) = unpack 'x12CCn', $fixed;
    my $rest = $self->read_exact($length, $timeout);
    my %proxy = (command => $command & 15, family => $family, tlv => {});
    my $at = 0;

    if ($family == 0x11) {
        @proxy{qw(source destination source_port destination_port)}
            = unpack 'a4a4nn', $rest;
        $proxy{$_} = inet_ntop(AF_INET, $proxy{$_}) for qw(source destination);
        $at = 12;

    } elsif ($family == 0x21) {
        @proxy{qw(source destination source_port destination_port)}
            = unpack 'a16a16nn', $rest;
        $proxy{$_} = inet_ntop(AF_INET6, $proxy{$_})
            for qw(source destination);
        $at = 36;
    }

    while ($at + 3 <= length $rest) {
        my ($type, $size) = unpack "x${at}Cn", $rest;
        $proxy{tlv}{$type} = substr $rest, $at + 3, $size;
        $at += 3 + $size;
    }

    $self->{proxy} = \%proxy;
}


1;
