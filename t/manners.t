# What the program says of itself: help, hints, versions, completions and the
# manual, which are all made of the parser's tables.

use strict;
use warnings;

use Encode qw(decode);
use Test::More;

use Inlets::Test;

my $t = Inlets::Test->new();
my $top = $Inlets::Test::TOP;
my $build = $Inlets::Test::BUILD;
my $program = "$build/inlets";


# Runs it to its end: exit code, standard output, standard error.

sub run {
    my $opt = ref $_[0] eq 'HASH' ? shift : {};
    my ($out, $err) = map { "$t->{dir}/run.$_" } qw(out err);

    unlink $out, $err;

    my $pid = spawn('run', { %$opt, stdout => $out, stderr => $err }, @_);
    my $status = Inlets::Test::reap($pid, 20);

    if (!defined $status) {
        kill 'KILL', $pid;
        Inlets::Test::reap($pid, 5);
        return (-1, 'it did not end', '');
    }

    return ($status >> 8, map { -e ? $t->read_file($_) : '' } $out, $err);
}

sub inlets { run(ref $_[0] eq 'HASH' ? shift : (), $program, @_) }


sub wrong {
    my ($name, $text, @arguments) = @_;
    my ($code, $out, $err) = inlets(@arguments);

    is($code, 1, "$name: exit code");
    is($err, "Error: $text\n", "$name: text");
    is($out, '', "$name: nothing on standard output");
}


# Help: the same, however it is asked for.

my ($code, $help, $err) = inlets('--help');

is("$code $err", '0 ', 'inlets --help');
is((inlets('help'))[1], $help, 'inlets help');
is((inlets('-h'))[1], $help, 'inlets -h');
is((inlets())[1], $help, 'inlets');

my ($list) = $help =~ /^Commands:\n((?:  .*\n)+)/m;
my @commands = $list =~ /^  inlets (.*?)  /mg;
my %help = ('' => $help);

cmp_ok(scalar @commands, '>=', 6, 'commands');

for my $command (@commands) {
    my @words = split ' ', $command;

    ($code, $help, $err) = inlets('help', @words);
    is("$code $err", '0 ', "inlets help $command");

    $help{$command} = $help;

    is((inlets(@words, '--help'))[1], $help, "inlets $command --help");
    is((inlets(@words, '-h'))[1], $help, "inlets $command -h");
}

my (%flags, @examples);

for my $command (sort keys %help) {
    $help = $help{$command};

    is(join("\n", grep { length > 80 || /\s$/ } split /\n/, $help), '',
       "help of \"$command\": lines");
    like($help, qr/^Usage: inlets\b/, "help of \"$command\": usage");
    like($help, qr/^Exit status:\n  0  .*\n(?:     .*\n)*  1  /m,
         "help of \"$command\": exit status");

    $flags{$command} = { map { $_ => 1 }
                         $help =~ /^  (?:-\w, |    )(--[a-z-]+)/mg };

    my ($examples) = $help =~ /^Examples:\n((?:  .*\n)+)/m;

    $examples =~ s/ \\\n\s+/ /g;
    push @examples, $examples =~ /^  ([^#\s].*)$/mg;

    for my $example ($examples =~ /\b(inlets [^#\n]*)$/mg) {
        my ($of) = grep { $example =~ /^inlets \Q$_\E\b/ }
                   sort { length $b <=> length $a } @commands;
        my @strange = grep { !$flags{$of} || !$flags{$of}{$_} }
                      $flags{$of} ? $example =~ / (--[a-z-]+)/g : ();

        ok(defined $of, "a command of an example: $example");
        is(join(' ', @strange), '', "flags of an example: $example");
    }
}


# Examples, as they are: those that end by themselves.

mkdir "$t->{dir}/home";
mkdir "$t->{dir}/home/$_" for '.zfunc', '.config', '.config/fish',
                              '.config/fish/completions';

my @ending = grep { /completion|help|--print-config/ } @examples;

cmp_ok(scalar @ending, '>=', 5, 'examples that end');

my %env = (HOME => "$t->{dir}/home", PATH => "$build:$ENV{PATH}:/usr/sbin");

$env{INLETS_NGINX} = $Inlets::Test::NGINX if $Inlets::Test::NGINX =~ m{/};
$env{INLETS_MODULES} = 'built-in' if Inlets::Test::modules() < 2;

for my $example (@ending) {
    my ($code, $out, $err) = run({ dir => "$t->{dir}/home", env => \%env },
                                 'bash', '-c', $example);
    is("$code $err", '0 ', $example);
}


# A check has the flags that go with a file.

$t->file('client.yml', "server: ws://127.0.0.1:9\ntunnels:\n"
         . "  - {name: web, type: http, upstream: 3000}\n");

# values that are good, where any text isn't
my %value = ('allow-ip' => '192.0.2.0/24', 'deny-ip' => '192.0.2.0/24',
             'basic-auth' => 'a:b', credentials => 'a:b',
             'upstream-auth' => 'a:b', 'log-format' => 'json',
             'log-level' => 'info', 'proxy-protocol' => 'v1',
             'report-url' => 'http://127.0.0.1:9/',
             server => 'ws://127.0.0.1:9', config => "$t->{dir}/client.yml");

my %told;

for my $flag (map { s/^--//r } sort keys %{$flags{client}}) {
    my ($with) = $help{client}
                 =~ /^  (?:-\w, |    )--\Q$flag\E(?![\w-])(?: (\S+))?/m;
    my @value = $with ? $value{$flag} // ($with =~ /FILE/ ? '/dev/null' : '9')
                      : ();

    my $err = (inlets('client', 'check', '-c', "$t->{dir}/client.yml",
                      "--$flag", @value))[2];

    $told{"--$flag"} = 1
        if $err !~ / does not go with -c| is not for a check/;
}

is(join(' ', sort keys %told), join(' ', sort keys %{$flags{'client check'}}),
   'flags of a check');


# What can't be written is no success.

SKIP: {
    skip 'no /dev/full', 16 if !-c '/dev/full';

    for my $words ('--help', '--version', '-V', 'help server',
                   'completion bash', "client check -c $t->{dir}/client.yml",
                   "client --service -c $t->{dir}/client.yml",
                   'server -d example.com -t x --print-config')
    {
        my ($code, undef, $err) = run({ env => \%env }, 'bash', '-c',
            'exec "$@" > /dev/full', 'bash', $program, split ' ', $words);
        is($code, 1, "$words: a full disk");
        is($err, 'Error: cannot write to standard output: No space left on '
           . "device\n", "$words: is told");
    }
}


# The release, and more.

my ($number) = $t->read_file("$top/shared/inlets_version.h")
               =~ /VERSION\s+"(.+?)"/;

for my $words ([], map { [split] } @commands) {
    is((inlets(@$words, '--version'))[1], "$number\n",
       "inlets @$words --version");
}

my ($more, $nginx);

($code, $more) = inlets('-V');
is($code, 0, 'inlets -V');
is((inlets('forward', '-V'))[1], $more, 'inlets forward -V');
like($more, qr/\Ainlets \Q$number\E\n/, 'the release first');
like($more, qr/^Protocol: 2\.0\.0 .*MUX version 1\b/m, 'protocols');

for my $library (qw(OpenSSL libwebsockets libuv cJSON libyaml llhttp libcurl))
{
    like($more, qr/^  $library +\d+\.\d+\.\d+/m, "version of $library");
}

SKIP: {
    my ($module) = glob "$build/modules/ngx_http_inlets_module.so";

    skip 'no modules', 2 if !$module;

    ($nginx) = $more =~ /^nginx: +(\S+)$/m;
    is((`$Inlets::Test::NGINX -v 2>&1`)[0], "nginx version: nginx/$nginx\n",
       'the nginx that the modules are for');

    my ($signature) = $more =~ /^ +signature (\d,\d,\d,[01]+)$/m;
    like($t->read_file($module), qr/(?<![\d,])\Q$signature\E\x00/, 'their signature');
}


# Hints.

wrong('command', 'unknown command "clinet", did you mean "client"? See inlets '
      . '--help', 'clinet');
wrong('two words in one', 'unknown command "server reload", see inlets --help',
      'server reload');
wrong('nothing near', 'unknown command "dig", see inlets --help', 'dig');
wrong('a flag of the program', 'unknown command "version", did you mean '
      . '"--version"? See inlets --help', 'version');
wrong('help of a command', 'unknown command "clinet", did you mean "client"? '
      . 'See inlets --help', 'help', 'clinet');
wrong('help of one below it', 'unknown command "chek", did you mean "check"? '
      . 'See inlets client --help', 'help', 'client', 'chek');
wrong('flag', 'unknown option --basic-aut, did you mean --basic-auth? See '
      . 'inlets client --help', 'client', '--basic-aut', 'x:y', 'http', '9');
wrong('swapped', 'unknown option --prot, did you mean --port? See inlets '
      . 'server --help', 'server', '--prot=80');
wrong('abbreviated', 'unknown option --notification-p, did you mean '
      . '--notification-provider? See inlets server --help', 'server',
      '--notification-p', 'slack');
wrong('of the program', 'unknown option --hepl, did you mean --help? See '
      . 'inlets --help', '--hepl');
wrong('nothing near', 'unknown option --zzz, see inlets forward --help',
      'forward', '--zzz=secret');
wrong('letter', 'unknown option -x, see inlets client --help', 'client', '-x');
wrong('no value', 'option --domain needs a value', 'server', '--domain');
wrong('no value of a letter', 'option -d needs a value', 'server', '-s', '-d');
wrong('a value', 'option --help takes no value', 'server', '--help=1');
wrong('no truth', '--secure must be true or false, not "maybe"', 'server',
      '--secure=maybe');
wrong('choice', '--log-level must be error, warn, info or debug, not "loud"',
      'forward', '--log-level', 'loud');
wrong('number', '--port must be a number from 1 to 65535, not "0x50"',
      'server', '--port=0x50');
wrong('not for a reload', '--port is not for a reload, see inlets server '
      . 'reload --help', 'server', 'reload', '--port', '80');
wrong('a command of a command', 'unexpected argument "relaod", did you mean '
      . '"reload"? See inlets server --help', 'server', 'relaod');
wrong('shell', 'no completions for "tcsh", only for bash, zsh and fish',
      'completion', 'tcsh');

# as the reference takes them; what stands behind "--" is no flag

wrong('-name', '--port must be a number from 0 to 65535, not "x"', 'client',
      '-port', 'x', 'tcp', '22');
wrong('-l=value', '--port must be a number from 0 to 65535, not "y"', 'client',
      '-p=y', 'tcp', '22');
wrong('--', 'unexpected argument "--port"', 'client', '-p', '1', '--', 'tcp',
      '22', '--port');
wrong('words between flags', 'token or credentials is required for tcp tunnel',
      'client', 'tcp', '-p', '20022', '22', '--log-utc');

{
    local $ENV{INLETS_GRACE} = 'x';

    wrong('one error', '$INLETS_GRACE must be a number from 0 to 3600000, not '
          . '"x"', 'client', '--zzz', '--port', 'y');

    ($code, $help) = inlets('client', '--help');
    is("$code $help", "0 $help{client}", 'help in spite of the environment');
}


# bash: what it offers, as it asks for it.

my $script = $t->file('bash', (inlets('completion', 'bash'))[1]);
my %offered;

mkdir "$t->{dir}/here";
mkdir "$t->{dir}/here/token.d";
$t->file('here/token file', '');

sub bash {
    my ($line) = @_;

    # as bash does it, '=' is a word of its own
    my @words = map { /^(--[^=]+)(=)(.*)/ ? ($1, $2, length $3 ? $3 : ()) : $_ }
                split / /, $line, -1;

    my ($code, $out, $err) = run({ dir => "$t->{dir}/here" }, 'bash',
        '--norc', '-c', 'source "$1"; shift; COMP_WORDS=("$@");
        COMP_CWORD=$(($# - 1)); COMPREPLY=();
        complete -p inlets > /dev/null || exit;
        _inlets inlets "${COMP_WORDS[-1]}" "${COMP_WORDS[-2]}";
        printf "%s\n" "${COMPREPLY[@]}"', 'bash', "$t->{dir}/bash", @words);

    is($err, '', "bash: \"$line\"");
    return join ' ', sort split /\n/, $out;
}

my %top = map { $_ => 1 } map { (split)[0] } @commands;

is(bash('inlets '), join(' ', sort keys %top), 'commands');
is(bash('inlets cl'), 'client', 'a command');
is(bash('inlets help se'), 'server', 'a command, behind help');
is(bash('inlets client --basic-a'), '--basic-auth --basic-auth-file', 'flags');
like(bash('inlets client -s x '), qr/\bhttp\b.*\btcp\b/, 'types');
is(bash('inlets client http '), '', 'no second type');
is(bash('inlets server r'), 'reload', 'a command of a command');
is(bash('inlets server -d reload --token-f'), '--token-file',
   'a value is no command');
is(bash('inlets server --log-level '), 'debug error info warn', 'choices');
is(bash('inlets server --log-level=d'), 'debug', 'a choice behind "="');
is(bash('inlets server --log-level='), 'debug error info warn', 'all of them');
is(bash('inlets server --log-level=info rel'), 'reload', 'and what follows');
is(bash('inlets server --notification-provider d'), 'dingtalk', 'a provider');
is(bash('inlets server --token-file to'), 'token file token.d', 'files');
is(bash('inlets server --modules to'), 'token.d', 'folders');
is(bash('inlets client --token to'), '', 'nothing for a secret');
is(bash('inlets completion '), 'bash fish zsh', 'shells');

for my $command ('', @commands) {
    is(bash(join ' ', 'inlets', split(' ', $command), '--'),
       join(' ', sort keys %{$flags{$command}}), "all flags of \"$command\"");
}


# fish, which can be asked, too; zsh only reads its script.

SKIP: {
    skip 'no fish', 1 if !grep { -x "$_/fish" } split /:/, $ENV{PATH};

    $t->file('fish', (inlets('completion', 'fish'))[1]);

    my @lines = ('inlets ', 'inlets server r', 'inlets client -s x ',
                 'inlets client http ', 'inlets completion z',
                 'inlets server --notification-provider d',
                 map { join ' ', 'inlets', split(' ', $_), '--' } @commands);
    my @wanted = (join(' ', sort keys %top), 'reload', undef, undef, 'zsh',
                  'dingtalk',
                  map { join ' ', sort keys %{$flags{$_}} } @commands);

    $t->file('ask.fish', "source $t->{dir}/fish\n"
        . join '', map { "echo (complete -C '$_' | string replace -r '\\t.*' "
                         . "'' | sort | string join ' ')\n" } @lines);

    ($code, my $out, $err) = run({ env => { HOME => $t->{dir} } }, 'fish',
                                 '--no-config', "$t->{dir}/ask.fish");
    is("$code $err", '0 ', 'fish reads its script');

    my @answers = map { join ' ', sort split } split /\n/, $out, -1;

    for my $i (0 .. $#lines) {
        is($answers[$i], $wanted[$i], "fish: \"$lines[$i]\"")
            if defined $wanted[$i];
    }

    like($answers[2], qr/\bhttp tcp\b/, 'fish: types');
    is($answers[3], '', 'fish: no second type');
}

SKIP: {
    skip 'no zsh', 1 if !grep { -x "$_/zsh" } split /:/, $ENV{PATH};

    mkdir "$t->{dir}/functions";
    $t->file('functions/_inlets', (inlets('completion', 'zsh'))[1]);

    ($code, my $out, $err) = run({ env => { HOME => $t->{dir} } }, 'zsh', '-f',
        '-c', "fpath=($t->{dir}/functions \$fpath); autoload -Uz compinit; "
              . "compinit -u -D; source $t->{dir}/functions/_inlets; "
              . 'print $_comps[inlets] ${(k)functions[(I)_inlets*]}');
    is("$code $err", '0 ', 'zsh reads its script');
    like($out, qr/^_inlets .*\b_inlets_server_reload\b/, 'and knows of it');

    my $zsh = $t->read_file('functions/_inlets');

    for my $command (@commands) {
        my $name = join '_', '_inlets', split ' ', $command;
        my ($body) = $zsh =~ /^\Q$name\E\(\) \{\n(.*?)^\}/ms;
        my %there = map { $_ => 1 } $body =~ /[')](--[a-z-]+)/g,
                                    $body =~ /'\*(--[a-z-]+)/g;

        is(join(' ', sort keys %there), join(' ', sort keys %{$flags{$command}}),
           "zsh: all flags of \"$command\"");
    }
}


# The manual.

my ($page, $keys) = map { $t->read_file("$build/man/$_") }
                       qw(inlets.1 inlets.yml.5);
my $plain = $page =~ s/\\-/-/gr =~ s/\\f.//gr;

for my $command (@commands) {
    my ($section) = $plain =~ /^\.SH "\Uinlets $command\E"$(.*?)(?=^\.SH )/ms;

    ok(defined $section, "inlets(1): $command") or next;

    my %there = map { $_ => 1 } $section =~ /^(?:-\w, )?(--[a-z-]+)/mg;
    is(join(' ', sort keys %there), join(' ', sort keys %{$flags{$command}}),
       "inlets(1): flags of $command");
}

for my $table ('ngx_module/ngx_inlets_settings_table.c', 'client/conf_keys.c') {
    my @keys = $t->read_file("$top/$table") =~ /\.path = "(.*?)"/g;
    my @missing = grep { $keys !~ /^\\fB\Q$_\E\\fR/m } @keys;

    cmp_ok(scalar @keys, '>', 20, "keys of $table");
    is(join(' ', @missing), '', "inlets.yml(5): those of $table");
}

for my $name (qw(inlets.1 inlets.yml.5)) {
    my $file = "$build/man/$name";

    SKIP: {
        skip 'no mandoc', 1 if !-x '/usr/bin/mandoc';

        my @faults = grep { !/missing date/ }
                     split /^/, (run('mandoc', '-Tlint', '-Wwarning', $file))[1];
        is(join('', @faults), '', "$name: mandoc");
    }

    SKIP: {
        skip 'no groff', 3 if !-x '/usr/bin/groff';

        my (undef, $text, $err) = run('groff', '-ww', '-man', '-Tutf8',
                                      '-P-c', '-P-b', '-P-o', '-P-u', $file);

        $text = decode('UTF-8', $text);

        is($err, '', "$name: groff");
        is(join("\n", grep { length > 80 } split /\n/, $text), '',
           "$name: within 80 columns");
        unlike($text, qr/\x{2010}\n/, "$name: names are not hyphenated");
    }
}

$t->finish();
