package Inlets::Test::Listener;

# A local service played by the test itself, so that each side moves when
# the other was seen to have moved.

use strict;
use warnings;

use IO::Select;
use IO::Socket::IP;
use IO::Socket::UNIX;
use Socket qw(IPPROTO_TCP TCP_NODELAY);

use Inlets::Test::Socket;


# On a port, or a free one, or a Unix socket.

sub start {
    my ($class, $port) = @_;

    if (defined $port && $port =~ m{^/}) {
        my $fh = IO::Socket::UNIX->new(Local => $port, Listen => 128)
            or die "listen on $port: $!";

        return bless { fh => $fh, path => $port }, $class;
    }

    $port ||= Inlets::Test::free_port();

    my $fh = IO::Socket::IP->new(LocalHost => '127.0.0.1',
        LocalPort => $port, Listen => 128, ReuseAddr => 1)
        or die "listen on $port: $!";

    return bless { fh => $fh, port => $port }, $class;
}


sub port { $_[0]{port} }

sub upstream {
    my ($self) = @_;
    return $self->{path} ? "unix:$self->{path}" : "127.0.0.1:$self->{port}";
}


# The next connection, an Inlets::Test::Socket; undef in time-out.

sub accept {
    my ($self, $timeout) = @_;

    IO::Select->new($self->{fh})
        ->can_read(($timeout || 10) * $Inlets::Test::SLOW) or return undef;

    my $fh = $self->{fh}->accept() or return undef;

    setsockopt $fh, IPPROTO_TCP, TCP_NODELAY, 1 if !$self->{path};

    return Inlets::Test::Socket->new($fh);
}


# The head of the first request on the next connection: (connection, head).

sub request {
    my ($self, $timeout) = @_;

    my $socket = $self->accept($timeout) or return;

    return ($socket, $socket->read_request_head($timeout));
}


sub close { CORE::close $_[0]{fh} }


1;
