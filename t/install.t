# The Makefile's "install" and "clean", what the Dockerfiles make of them, and
# what belongs at the top of the tree.

use strict;
use warnings;

use Test::More;

use Inlets::Test;

my $t = Inlets::Test->new();
my $top = $Inlets::Test::TOP;

sub text { $t->read_file("$top/$_[0]") }

sub make {
    my ($targets, @more) = @_;
    my $out = `cd \Q$top\E && make --no-print-directory $targets @more 2>&1`;
    my $good = $? == 0;

    diag($out) if !$good;

    return ($good, $out);
}


# Installed, and moved to where others expect it.

SKIP: {
    skip 'sanitizers are not for this', 16 if Inlets::Test::preload();
    skip 'linked into nginx', 16 if Inlets::Test::modules() < 2;

    my $dest = "$t->{dir}/dest";
    my $build = "BUILD=\Q$Inlets::Test::BUILD\E";

    # -o: what is built is not built again

    my ($good) = make('install -o all', $build, "DESTDIR=$dest");

    ok($good, 'make install');
    ok(-x "$dest/usr/local/bin/inlets", 'the client');

    for my $name (qw(http stream)) {
        my $so = "$dest/usr/lib/nginx/modules/ngx_${name}_inlets_module.so";
        ok(-f $so, "the $name module");
        is((stat _)[2] & 0777, 0644, 'and its mode') if -f _;
    }

    my ($number) = text('shared/inlets_version.h') =~ /VERSION\s+"(.+?)"/;
    is(`$dest/usr/local/bin/inlets --version`, "$number\n",
       'inlets --version');

    ($good) = make('install -o all', $build, "DESTDIR=$dest/2",
                   'PREFIX=/opt/inlets MODULEDIR=/opt/modules');
    ok($good, 'PREFIX and MODULEDIR');
    ok(-x "$dest/2/opt/inlets/bin/inlets", 'the client there');

    for my $file (qw(man/man1/inlets.1 man/man5/inlets.yml.5
                     bash-completion/completions/inlets
                     zsh/site-functions/_inlets
                     fish/vendor_completions.d/inlets.fish))
    {
        ok(-s "$dest/2/opt/inlets/share/$file", "$file there");
    }
    ok(-f "$dest/2/opt/modules/ngx_http_inlets_module.so", 'the module there');

    # what nginx would load

    my $load = join '', map { m{/(ngx_\w+_inlets_module\.so)$}
                              ? "load_module $dest/2/opt/modules/$1;\n"
                              : "load_module $_;\n" } Inlets::Test::modules();
    my ($ok, $said) = $t->test_conf("${load}pid %%TESTDIR%%/x.pid;\n"
        . "error_log %%TESTDIR%%/error.log;\nevents { }\n");
    ok($ok, 'nginx loads the modules') or diag($said);
}

my $build = "$t->{dir}/of";

mkdir $build;
mkdir "$t->{dir}/else";
$t->file('of/x', 'x');

my ($cleaned) = make('clean', "BUILD=$build");
ok($cleaned && !-e $build && -d "$t->{dir}/else", 'make clean');


# Dockerfiles: steps of the Makefile, files that are there, and the packages
# of all libraries that the programs need.

my $makefile = text('Makefile');
my %packages;

for my $name (qw(edge client)) {
    my $file = text("docker/$name.Dockerfile");

    # the same words in one line
    $file =~ s/\\\n\s*/ /g;

    for my $target ($file =~ /\bmake ([a-z]+)/g) {
        like($makefile, qr/^$target:/m, "$name: make $target");
    }

    for my $line ($file =~ /^COPY (?!--from)(.+)$/mg) {
        my ($from) = split ' ', $line;
        ok(-e "$top/$from", "$name: COPY $from");
    }

    my ($final) = $file =~ /.*^FROM debian:12$(.*)/ms;
    my ($list) = $final =~ /install -y --no-install-recommends (.*?)(?:&&|$)/m;
    $packages{$name} = { map { $_ => 1 } split ' ', $list };
}

like(text('docker/compose.yml'), qr/dockerfile: docker\/edge\.Dockerfile/,
     'compose: edge');
like(text('docker/compose.yml'), qr/dockerfile: docker\/client\.Dockerfile/,
     'compose: client');

SKIP: {
    my $release = $t->read_file('/etc/os-release');

    skip 'this is no Debian 12', 1 if $release !~ /^ID=debian$/m
                                      || $release !~ /^VERSION_ID="12"$/m;
    skip 'sanitizers are not for this', 1 if Inlets::Test::preload();

    # libc's and OpenSSL's packages are there with nginx and certificates

    my %of = (edge => [ glob "$Inlets::Test::BUILD/modules/*_inlets_*.so" ],
              client => [ "$Inlets::Test::BUILD/inlets" ]);

    for my $name (sort keys %of) {
        for my $library (map { `readelf -d $_` =~ /NEEDED.*\[(.+?)\]/g }
                         @{$of{$name}})
        {
            my ($path) = map { glob "$_/$library" } qw(/usr/lib/*-linux-gnu
                                                       /lib/*-linux-gnu);
            my ($package) = `dpkg -S $path 2>/dev/null` =~ /^(\S+?):/;
            next if !$package || $package =~ /^(?:libc6|libssl3)$/;

            my $depends = join ' ', map { `dpkg-query -W -f '\${Depends}' $_` }
                                        sort keys %{$packages{$name}};
            ok($packages{$name}{$package} || $depends =~ /\b\Q$package\E\b/,
               "docker/$name: $package, for $library");
        }
    }
}


# The top of the tree.

ok(-e "$top/$_", "$_ is there")
    for qw(config ngx_module client shared conf t docker README.md Makefile
           CHANGES bench .ci/run .editorconfig LICENSE ngx_module/README.md);
like(text('LICENSE'), qr/\AMIT License\n/, 'LICENSE');
like(text('.ci/run'), qr/^exec make test$/m, '.ci/run');

SKIP: {
    skip 'no git', 1 if !-e "$top/.git";

    my @files = `git -C \Q$top\E ls-files`;
    chomp @files;

    my %tops = map { m{^([^/]+)} ? ($1 => 1) : () } @files;
    delete @tops{qw(config ngx_module client shared conf t docker README.md
                    Makefile CHANGES bench .ci .editorconfig LICENSE
                    .gitignore .dockerignore)};
    is(join(' ', sort keys %tops), '', 'and nothing else');
}

$t->finish();
