package Inlets::Test::Client;

# The real client as a child process.

use strict;
use warnings;

use Test::More ();


# opt: token => 1 puts the test's secret into the environment, env => {...}
# sets (undef: unsets) variables, program => another binary, terminal =>
# [columns, rows] gives it one, stdout => another path than its file.

sub new {
    my ($class, $test, $opt, @arguments) = @_;

    my $number = ++$test->{number};
    my $self = bless {
        test => $test,
        arguments => \@arguments,
        file => "$test->{dir}/client.$number.log",
    }, $class;

    my %env = (TOKEN => undef, INLETS_TOKEN => undef,
               UBSAN_OPTIONS => 'print_stacktrace=1',
               ASAN_OPTIONS => 'handle_abort=1',
               %{$opt->{env} || {}});
    $env{TOKEN} = $test->{secret} if $opt->{token};

    my @command = ($opt->{program} || "$Inlets::Test::BUILD/inlets",
                   @arguments);

    unshift @command, '/usr/bin/valgrind', '-q', '--error-exitcode=99',
        '--leak-check=full', '--show-leak-kinds=definite',
        '--errors-for-leak-kinds=definite'
        if $ENV{INLETS_VALGRIND} && !$opt->{no_valgrind};

    if ($opt->{terminal}) {
        require Inlets::Test::Terminal;
        $self->{terminal} = Inlets::Test::Terminal->new(@{$opt->{terminal}},
            { file => $self->{file} });
    }

    $self->{pid} = Inlets::Test::spawn('client',
        { stdout => $opt->{stdout} || $self->{file}, stderr => $self->{file},
          terminal => $self->{terminal}, env => \%env },
        @command);

    return $self;
}


sub pid { $_[0]{pid} }
sub terminal { $_[0]{terminal} }


sub output {
    my ($self) = @_;

    $self->{terminal}->pump() if $self->{terminal};

    return $self->{test}->read_file($self->{file});
}


sub wait_output {
    my ($self, $regex, $timeout) = @_;

    return Inlets::Test::wait_for(sub { $self->output() =~ $regex },
        $timeout, "client's line $regex");
}


# Waits for the count-th "Forwarding" line.

sub wait_up {
    my ($self, $count, $timeout) = @_;
    $count ||= 1;

    return Inlets::Test::wait_for(sub {
        my @lines = $self->output() =~ /^(?:\[inlets\] .* )?Forwarding: /mg;
        return @lines >= $count;
    }, $timeout || 15, 'client to be up');
}


# What the last "Forwarding" line says: public URL and upstream.

sub url {
    my ($self) = @_;
    my @urls = $self->output() =~ /^(?:\[inlets\] .* )?Forwarding: (\S+) -> /mg;
    return $urls[-1];
}


# The public TCP port, or the host name of an HTTP tunnel.

sub port {
    my ($self) = @_;
    return ($self->url() || '') =~ m{^tcp://.*:(\d+)$} ? $1 : undef;
}


sub host {
    my ($self) = @_;
    return ($self->url() || '') =~ m{^https?://([^:/]+)} ? $1 : undef;
}


sub signal {
    my ($self, $signal) = @_;
    return defined $self->{status} ? 0 : kill $signal, $self->{pid};
}


sub alive {
    my ($self) = @_;
    return 0 if defined $self->{status};

    my $status = Inlets::Test::reap($self->{pid}, 0.001);
    $self->{status} = $status;

    return !defined $status;
}


# The exit code, or minus the signal; undef: it runs on.

sub wait_exit {
    my ($self, $timeout) = @_;

    $self->{status} = Inlets::Test::reap($self->{pid}, $timeout || 15)
        if !defined $self->{status};

    my $status = $self->{status};

    return undef if !defined $status;
    return $status & 127 ? -($status & 127) : $status >> 8;
}


sub stop {
    my ($self) = @_;
    return $self->wait_exit() if defined $self->{status};

    kill 'TERM', $self->{pid};

    my $code = $self->wait_exit(15);

    if (!defined $code) {
        Test::More::diag('client did not end in time');
        kill 'KILL', $self->{pid};
        $code = $self->wait_exit(5);
    }

    return $code;
}


# Resident memory, bytes.

sub resident {
    my ($self) = @_;
    my $text = $self->{test}->read_file("/proc/$self->{pid}/status");
    return $text =~ /^VmRSS:\s+(\d+) kB/m ? $1 * 1024 : 0;
}


1;
