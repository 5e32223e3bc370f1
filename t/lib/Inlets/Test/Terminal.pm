package Inlets::Test::Terminal;

# A terminal for the client, and what a user would see on it.  It knows what
# the live view uses, and takes down whatever else it is sent.  Lines that get
# too long when it is made narrower are wrapped, as most terminals do.

use strict;
use warnings;

use Encode ();
use IO::Pty;
use POSIX ();


# opt: file, where all that is written to it goes as well.

sub new {
    my ($class, $width, $height, $opt) = @_;

    my $pty = IO::Pty->new() or die "no terminal: $!";

    my $self = bless {
        pty => $pty, width => $width, height => $height,
        rows => [{ text => '' }], row => 0, column => 0,
        input => '', raw => '', unknown => [], %$opt,
    }, $class;

    $self->_set_size();
    $pty->blocking(0);

    return $self;
}


sub _set_size {
    my ($self) = @_;
    my $size = pack 'S4', $self->{height}, $self->{width}, 0, 0;

    ioctl $self->{pty}, IO::Tty::Constant::TIOCSWINSZ(), $size
        or die "size of the terminal: $!";
}


# In the child process: its standard input, output and error.

sub become {
    my ($self) = @_;

    $self->{pty}->make_slave_controlling_terminal();

    my $slave = $self->{pty}->slave();

    POSIX::dup2(fileno $slave, $_) for 0 .. 2;
}


# In the parent process: only the child is to hold the other end open.

sub started {
    my ($self) = @_;
    $self->{pty}->close_slave();
}


# Takes what has been written; the terminal stands still unless it's called.

sub pump {
    my ($self) = @_;

    while (1) {
        my $n = sysread $self->{pty}, my $data, 65536;
        last if !$n;

        $self->{raw} .= $data;
        $self->_show($data);

        next if !$self->{file};

        open my $f, '>>', $self->{file} or die "$self->{file}: $!";
        print $f $data;
        close $f;
    }

    return $self;
}


sub resize {
    my ($self, $width, $height) = @_;

    $self->pump();

    my @rows = @{$self->{rows}};
    my (@lines, $line, $at);

    # rows below the cursor that were erased are none

    pop @rows while $#rows > $self->{row} && $rows[-1]{text} eq '';

    for my $i (0 .. $#rows) {
        $line = { text => '' }, push @lines, $line
            if $i == 0 || !$rows[$i - 1]{wrapped};

        ($at, $self->{offset}) = ($#lines,
                                  length($line->{text}) + $self->{column})
            if $i == $self->{row};

        $line->{text} .= $rows[$i]{text};
    }

    @rows = ();

    for my $i (0 .. $#lines) {
        my $text = $lines[$i]{text};
        my $first = @rows;

        while (length $text > $width) {
            push @rows, { text => substr($text, 0, $width, ''), wrapped => 1 };
        }

        push @rows, { text => $text };

        if ($i == $at) {
            my $down = int($self->{offset} / $width);
            $self->{row} = $first + $down;
            $self->{column} = $self->{offset} - $down * $width;
        }
    }

    push @rows, { text => '' } while $#rows < $self->{row};

    @$self{qw(rows width height)} = (\@rows, $width, $height);
    $self->_set_size();

    return $self;
}


sub _top {
    my ($self) = @_;
    my $top = @{$self->{rows}} - $self->{height};

    return $top > 0 ? $top : 0;
}


sub _down {
    my ($self) = @_;

    $self->{row}++;
    push @{$self->{rows}}, { text => '' }
        if $self->{row} == @{$self->{rows}};
}


sub _put {
    my ($self, $char) = @_;

    if ($self->{column} == $self->{width}) {
        $self->{rows}[$self->{row}]{wrapped} = 1;
        $self->_down();
        $self->{column} = 0;
    }

    my $row = $self->{rows}[$self->{row}];

    $row->{text} .= ' ' x ($self->{column} - length $row->{text})
        if $self->{column} > length $row->{text};

    substr $row->{text}, $self->{column}++, 1, $char;
}


# A cursor behind the last column stands on it, to a terminal.

sub _erase {
    my ($self) = @_;
    my $row = $self->{rows}[$self->{row}];
    my $column = $self->{column} == $self->{width} ? $self->{width} - 1
                                                   : $self->{column};

    substr $row->{text}, $column, length $row->{text}, ''
        if $column < length $row->{text};
    delete $row->{wrapped};
}


sub _control {
    my ($self, $number, $letter) = @_;

    if ($letter eq 'A') {
        my $row = $self->{row} - ($number || 1);
        my $top = $self->_top();

        $self->{row} = $row < $top ? $top : $row;

    } elsif ($letter eq 'K' && $number eq '') {
        $self->_erase();

    } elsif ($letter eq 'J' && $number eq '') {
        $self->_erase();
        $_ = { text => '' }
            for @{$self->{rows}}[$self->{row} + 1 .. $#{$self->{rows}}];

    } elsif ($letter eq 'm') {
        $self->{colours}{$number}++;

    } else {
        push @{$self->{unknown}}, "\\033[$number$letter";
    }
}


sub _show {
    my ($self, $data) = @_;

    $self->{input} .= $data;

    # a character or a sequence that isn't complete waits for the rest

    my $input = \$self->{input};

    while (length $$input) {
        if ($$input =~ s/^\e\[([0-9;]*)([A-Za-z])//) {
            $self->_control($1, $2);

        } elsif ($$input =~ /^\e(?:\[[0-9;]*)?\z/) {
            last;

        } elsif ($$input =~ s/^\r//) {
            $self->{column} = 0;

        } elsif ($$input =~ s/^\n//) {
            $self->_down();

        } elsif ($$input =~ s/^([\x20-\x7e])//) {
            $self->_put($1);

        } elsif ($$input =~ s/^([\xc2-\xf4][\x80-\xbf]+)(?=[^\x80-\xbf])//) {
            $self->_put($_) for split //, Encode::decode('UTF-8', $1);

        } elsif ($$input =~ /^[\xc2-\xf4][\x80-\xbf]*\z/) {
            last;

        } else {
            push @{$self->{unknown}}, sprintf '\\x%02x',
                ord substr $$input, 0, 1, '';
        }
    }
}


# Rows as text: those on the screen, or these and the ones scrolled out of it.

sub screen {
    my ($self) = @_;

    $self->pump();

    my @rows = @{$self->{rows}};
    @rows = splice @rows, $self->_top();

    return join "\n", map { $_->{text} } @rows;
}


sub all {
    my ($self) = @_;

    $self->pump();

    my $text = '';
    $text .= $_->{text} . ($_->{wrapped} ? '' : "\n") for @{$self->{rows}};

    return $text;
}


sub raw { $_[0]->pump()->{raw} }
sub unknown { join ' ', @{$_[0]->pump()->{unknown}} }
sub colours { join ' ', sort keys %{$_[0]->pump()->{colours}} }
sub cursor { ($_[0]->pump()->{row}, $_[0]{column}) }
sub type { syswrite $_[0]{pty}, $_[1] }


sub wait_screen {
    my ($self, $regex, $timeout) = @_;

    return Inlets::Test::wait_for(sub { $self->screen() =~ $regex }, $timeout,
        "$regex on the screen");
}


1;
