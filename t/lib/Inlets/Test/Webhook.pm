package Inlets::Test::Webhook;

# Where notifications and reports are posted to: keeps what comes, and answers
# as told.
#
#   my $hook = Inlets::Test::Webhook->start($t, ssl => 1);
#   $hook->answers(500, 200);       # the last one stays
#   $hook->url('/path');
#   my $post = $hook->wait_post(1); # the second: uri, headers, body, json, time
#
# Answers: a status, "200 body", "302 location", "hang" (nothing comes), "cut"
# (closes without an answer).

use strict;
use warnings;

use Fcntl qw(LOCK_EX);
use JSON::PP;
use Time::HiRes qw(sleep time);

use Inlets::Test::Service;
use Inlets::Test::Socket;


sub start {
    my ($class, $test, %opt) = @_;

    my $self = bless { test => $test, %opt }, $class;

    $self->{id} = ++$test->{webhooks};
    $self->{posts} = "$test->{dir}/webhook.$self->{id}.posts";
    $self->{answers} = "$test->{dir}/webhook.$self->{id}.answers";
    $self->answers(200);

    ($self->{crt}, $self->{key}) = $test->certificate('127.0.0.1')
        if $opt{ssl};

    $self->{service} = $test->service(sub { $self->serve($_[0]) });

    return $self;
}


sub url {
    my ($self, $path) = @_;
    return ($self->{ssl} ? 'https' : 'http') . '://'
           . $self->{service}->upstream() . ($path || '/');
}


sub answers {
    my ($self, @answers) = @_;
    write_file($self->{answers}, join('', map { "$_\n" } @answers));
}


# All that came, or those of one event.

sub posts {
    my ($self, $event) = @_;

    my @all = map { decode_json($_) }
                  grep { /\}$/ }
                       split /\n/, $self->{test}->read_file($self->{posts});

    for my $post (@all) {
        $post->{json} = eval { JSON::PP->new->decode($post->{body}) };
    }

    @all = grep { ref $_->{json} eq 'HASH'
                  && ($_->{json}{event} || '') eq $event } @all
        if defined $event;

    return @all;
}


sub wait_post {
    my ($self, $n, $event, $timeout) = @_;
    my @posts;

    Inlets::Test::wait_for(sub { @posts = $self->posts($event);
                                 return @posts > $n },
                           $timeout || 10,
                           'post ' . ($n + 1) . ' ' . ($event || ''));

    return $posts[$n];
}


sub connections { $_[0]{service}->connections() }
sub stop { $_[0]{service}->stop() }


sub write_file {
    my ($path, $text) = @_;

    open my $fh, '>', "$path.new" or die "$path.new: $!";
    print $fh $text;
    close $fh;
    rename "$path.new", $path or die "$path: $!";
}


# In the process of a connection.

sub serve {
    my ($self, $socket) = @_;

    if ($self->{ssl}) {
        require IO::Socket::SSL;

        my $fh = IO::Socket::SSL->start_SSL($socket->fh(), SSL_server => 1,
            SSL_cert_file => $self->{crt}, SSL_key_file => $self->{key})
            or return;

        $socket = Inlets::Test::Socket->new($fh);
    }

    while (my $request = $socket->read_request_head(60)) {
        my $length = $request->{headers}{'content-length'} || 0;

        $request->{body} = $socket->read_exact($length, 60);
        $request->{time} = time;

        $self->answer($socket, $self->keep($request)) or last;
    }
}


# Notes it, and the next answer; one connection at a time.

sub keep {
    my ($self, $request) = @_;

    utf8::decode($request->{body});

    open my $fh, '>>', $self->{posts} or die "$self->{posts}: $!";
    flock $fh, LOCK_EX;
    syswrite $fh, JSON::PP->new->ascii->encode($request) . "\n";

    my @answers = split /\n/, $self->{test}->read_file($self->{answers});
    my $answer = shift @answers;

    write_file($self->{answers}, join('', map { "$_\n" } @answers))
        if @answers;

    close $fh;

    return $answer;
}


sub answer {
    my ($self, $socket, $answer) = @_;

    if ($answer eq 'hang') {
        $socket->ended(60);
        return 0;
    }

    return 0 if $answer eq 'cut';

    my ($status, $text) = split / /, $answer, 2;
    $text = 'ok' if !defined $text;

    my $head = "HTTP/1.1 $status Status\r\n";
    $head .= "Location: $text\r\n" if $status == 302;

    return $socket->send($head . 'Content-Length: ' . length($text)
                         . "\r\n\r\n$text");
}


1;
