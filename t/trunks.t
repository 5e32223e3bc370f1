# Trunks are made when a visitor's worker has no link of its tunnel: never with
# one worker.

use strict;
use warnings;

use Test::More;

use Inlets::Test;


# Ends of trunks that the workers of this edge have accepted.

sub trunks {
    my ($t) = @_;
    my $pids = join '|', $t->workers();
    my @ends = grep { /^\S+: \S+ \S+ \S+ 0001 03 \d+ \@inlets\.\w+\.(?:$pids)$/ }
                    split /\n/, $t->read_file('/proc/net/unix');
    return scalar @ends;
}


my @edges = map { Inlets::Test->new(workers => $_) } 1, 4;

for my $t (@edges) {
    my $workers = $t->{workers};

    # one listening socket: which worker accepts a visitor is left to chance

    $t->edge(tcp_ports => 2,
             server => 'location = /pid { return 200 $pid; }')->run();

    my $web = $t->service('http');
    my $echo = $t->service('echo');
    my $http = $t->tunnel('http', $web->upstream, '-s', 'demo', '--links', 1);
    my $tcp = $t->tunnel('tcp', $echo->upstream, '--links', 1);

    my (%pids, @visitors, @tcp);
    my ($answers, $echoes) = (0, 0);

    for my $round (1 .. 20) {
        my @new = map { $t->connect() } 1 .. 20;

        $_->send_request('GET', '/pid', host => 'demo.example.com') for @new;
        $pids{$_->read_response()->{body}}++ for @new;

        $_->send_request('GET', '/', host => 'demo.example.com') for @new;
        $answers += $_->read_response()->{body} eq "it works\n" for @new;

        push @visitors, @new;
        push @tcp, @new = map { $t->connect(port => $tcp->port) } 1 .. 20;

        $_->send("hello\n") for @new;
        $echoes += $_->read_line() eq "hello\n" for @new;

        last if $round >= 3 && ($workers == 1 || keys %pids == $workers
                                                 && trunks($t));
    }

    is($answers, @visitors, "$workers workers: HTTP");
    is($echoes, @tcp, "$workers workers: TCP");

    if ($workers == 1) {
        is(trunks($t), 0, 'one worker: no trunk');

    } else {
        cmp_ok(scalar(keys %pids), '>', 1, 'visitors were in several workers');
        cmp_ok(trunks($t), '>', 0, 'and there are trunks');
    }

    $_->close() for @visitors, @tcp;
    $t->finish();
}
