/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * complete.c - what a shell offers behind "socle ...", and the scripts that make it ask
 *
 * The shell hands over the words up to the cursor and gets a line for each thing that may stand
 * there. Files are the shell's own: then the one line is ":file". Names come from the daemon, which
 * gets a second to answer and is not started for this.
 */
#include <string.h>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/complete.h"
#include "cli/object.h"
#include "cli/template.h"
#include "model/domain.h"

enum {
	PATIENCE_MS = 1000
};

static void offer(GPtrArray *out, const char *prefix, const char *text)
{
	if (g_str_has_prefix(text, prefix))
		g_ptr_array_add(out, g_strdup(text));
}

static void offer_choices(GPtrArray *out, const char *prefix, const char *before,
			  const char *choices)
{
	g_auto(GStrv) words = g_strsplit(choices, "|", -1);

	for (unsigned i = 0; words[i]; i++) {
		g_autofree char *text = g_strconcat(before, words[i], NULL);

		offer(out, prefix, text);
	}
}

static void offer_options(GPtrArray *out, const char *prefix, const struct cli_option *row)
{
	for (; row && row->name; row++) {
		g_autofree char *text = g_strdup_printf("--%s", row->name);

		offer(out, prefix, text);
	}
}

static const struct cli_option *find_option(const struct cli_option *row, const char *word)
{
	bool is_long = g_str_has_prefix(word, "--");
	const char *name = word + (is_long ? 2 : 1);
	size_t len = strcspn(name, "=");

	for (; row && row->name; row++) {
		if (is_long ? strlen(row->name) == len && !strncmp(row->name, name, len)
			    : row->letter == *name && !name[1])
			return row;
	}
	return NULL;
}

static const struct cli_option *option_of(const struct cli_command *command, const char *word)
{
	const struct cli_option *row = NULL;

	if (word[0] != '-' || !word[1])
		return NULL;
	if (command)
		row = find_option(command->options, word);
	return row ? row : find_option(cli_global_options, word);
}

/* Words that are neither options nor their values. The command is found on the way. */
static void read_words(struct complete *complete, char *const *words, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		const struct cli_option *row = option_of(complete->command, words[i]);

		if (row && row->value && !strchr(words[i], '=') && i + 1 < count) {
			if (!strcmp(row->name, "connect"))
				complete->uri = words[i + 1];
			else if (!strcmp(row->name, "pool"))
				complete->pool = words[i + 1];
			i++;
			continue;
		}
		if (row && !strcmp(row->name, "connect") && strchr(words[i], '='))
			complete->uri = strchr(words[i], '=') + 1;
		else if (row && !strcmp(row->name, "pool") && strchr(words[i], '='))
			complete->pool = strchr(words[i], '=') + 1;
		if (words[i][0] == '-')
			continue;
		if (complete->command) {
			g_ptr_array_add(complete->words, words[i]);
		} else if (!complete->noun && cli_is_noun(words[i])) {
			complete->noun = words[i];
		} else {
			char *pair[] = { complete->noun ? (char *)(uintptr_t)complete->noun
							: words[i],
					 complete->noun ? words[i] : NULL, NULL };
			unsigned used;

			complete->command = cli_command_find(pair, &used, NULL);
		}
	}
}

static void offer_what(struct complete *complete, enum cli_what what, const char *prefix)
{
	if (what == CLI_FILE)
		g_ptr_array_add(complete->out, g_strdup(":file"));
	else if (what == CLI_COMMAND)
		offer_choices(complete->out, prefix, "", "bash|zsh|fish");
	else if (what != CLI_NOTHING && what != CLI_TEXT && complete->names)
		complete->names(complete, what, prefix);
}

static void offer_value(struct complete *complete, const struct cli_option *row, const char *before,
			const char *prefix)
{
	if (cli_is_choice(row->value))
		offer_choices(complete->out, prefix, before, row->value);
	else
		offer_what(complete, row->what, prefix);
}

static enum cli_what what_of(const struct complete *complete)
{
	const enum cli_what *what = complete->command->what;
	unsigned place = complete->words->len, last = 0;

	if (place >= complete->command->max)
		return CLI_NOTHING;
	for (unsigned i = 0; i < G_N_ELEMENTS(complete->command->what); i++)
		last = what[i] != CLI_NOTHING ? i : last;
	return what[MIN(place, last)];
}

void complete_words(struct complete *complete, char *const *words, unsigned count)
{
	const char *word = count ? words[count - 1] : "";
	const struct cli_option *row = NULL;

	complete->words = g_ptr_array_new();
	if (count)
		read_words(complete, words, count - 1);
	if (count > 1 && !strchr(words[count - 2], '='))
		row = option_of(complete->command, words[count - 2]);
	if (row && row->value) {
		offer_value(complete, row, "", word);
	} else if (word[0] == '-' && strchr(word, '=')) {
		g_autofree char *before = g_strndup(word, (gsize)(strchr(word, '=') - word + 1));

		row = option_of(complete->command, word);
		if (row && row->value)
			offer_value(complete, row, before, word);
	} else if (word[0] == '-') {
		offer_options(complete->out, word,
			      complete->command ? complete->command->options : NULL);
		offer_options(complete->out, word, cli_global_options);
	} else if (complete->command) {
		offer_what(complete, what_of(complete), word);
	} else {
		g_autoptr(GPtrArray) names = cli_command_words(complete->noun);

		for (unsigned i = 0; i < names->len; i++)
			offer(complete->out, word, g_ptr_array_index(names, i));
	}
	g_clear_pointer(&complete->words, g_ptr_array_unref);
}

/* ---- names from the daemon ---- */

struct asking {
	struct complete complete;
	struct cli *cli;
};

/* A line break in a name would be two names. */
static void offer_name(struct asking *asking, const char *prefix, const char *name)
{
	if (!strpbrk(name, "\n\r"))
		offer(asking->complete.out, prefix, name);
}

static void offer_machines(struct asking *asking, unsigned flags, const char *prefix)
{
	struct socle_domain **doms = NULL;

	if (socle_domain_list(asking->cli->conn, flags, &doms, NULL) < 0)
		return;
	for (unsigned i = 0; doms[i]; i++)
		offer_name(asking, prefix, socle_domain_name(doms[i]));
	socle_domains_free(doms);
}

static void offer_templates(struct asking *asking, const char *prefix)
{
	struct socle_domain **doms = NULL;

	if (socle_domain_list(asking->cli->conn, SOCLE_LIST_INACTIVE, &doms, NULL) < 0)
		return;
	for (unsigned i = 0; doms[i]; i++) {
		if (template_is(doms[i]))
			offer_name(asking, prefix, socle_domain_name(doms[i]));
	}
	socle_domains_free(doms);
}

static void offer_snapshots(struct asking *asking, struct socle_domain *dom, const char *prefix)
{
	struct socle_snapshot **snaps = NULL;

	if (socle_snapshot_list(dom, 0, &snaps, NULL) < 0)
		return;
	for (unsigned i = 0; snaps[i]; i++)
		offer(asking->complete.out, prefix, socle_snapshot_name(snaps[i]));
	socle_snapshots_free(snaps);
}

static void offer_disks(struct asking *asking, struct socle_domain *dom, const char *prefix)
{
	char *xml = socle_domain_xml(dom, 0, NULL);
	autoptr(domain) domain = xml ? domain_parse(xml, strlen(xml), 0, NULL, NULL) : NULL;

	free(xml);
	for (unsigned i = 0; domain && i < domain->devices.disk_count; i++) {
		if (domain->devices.disks[i].target.dev)
			offer(asking->complete.out, prefix, domain->devices.disks[i].target.dev);
	}
}

static void offer_networks(struct asking *asking, const char *prefix)
{
	struct socle_network **nets = NULL;

	if (socle_network_list(asking->cli->conn, 0, &nets, NULL) < 0)
		return;
	for (unsigned i = 0; nets[i]; i++)
		offer_name(asking, prefix, socle_network_name(nets[i]));
	socle_networks_free(nets);
}

static void offer_volumes_of(struct asking *asking, struct socle_pool *pool, bool with_pool,
			     const char *prefix)
{
	struct socle_volume **vols = NULL;

	if (socle_volume_list(pool, 0, &vols, NULL) < 0)
		return;
	for (unsigned i = 0; vols[i]; i++) {
		g_autofree char *text =
			g_strdup_printf("%s/%s", socle_pool_name(pool), socle_volume_name(vols[i]));

		offer_name(asking, prefix, with_pool ? text : socle_volume_name(vols[i]));
	}
	socle_volumes_free(vols);
}

/* Of the pool that --pool names, or of all as POOL/NAME. */
static void offer_volumes(struct asking *asking, const char *prefix)
{
	struct socle_pool **pools = NULL, *pool;

	if (asking->complete.pool) {
		pool = socle_pool_by_name(asking->cli->conn, asking->complete.pool, NULL);
		if (pool)
			offer_volumes_of(asking, pool, false, prefix);
		socle_pool_unref(pool);
		return;
	}
	if (socle_pool_list(asking->cli->conn, SOCLE_POOL_LIST_ACTIVE, &pools, NULL) < 0)
		return;
	for (unsigned i = 0; pools[i]; i++)
		offer_volumes_of(asking, pools[i], true, prefix);
	socle_pools_free(pools);
}

static void offer_secrets(struct asking *asking, const char *prefix)
{
	struct socle_secret **secrets = NULL;

	if (socle_secret_list(asking->cli->conn, 0, &secrets, NULL) < 0)
		return;
	for (unsigned i = 0; secrets[i]; i++)
		offer_name(asking, prefix, cli_secret_name(secrets[i]));
	socle_secrets_free(secrets);
}

static void offer_objects(struct asking *asking, enum cli_what what, const char *prefix)
{
	struct socle_pool **pools = NULL;

	if (what == CLI_NETWORK) {
		offer_networks(asking, prefix);
	} else if (what == CLI_VOLUME) {
		offer_volumes(asking, prefix);
	} else if (what == CLI_SECRET) {
		offer_secrets(asking, prefix);
	} else if (socle_pool_list(asking->cli->conn, 0, &pools, NULL) >= 0) {
		for (unsigned i = 0; pools[i]; i++)
			offer_name(asking, prefix, socle_pool_name(pools[i]));
		socle_pools_free(pools);
	}
}

static void ask_names(struct complete *complete, enum cli_what what, const char *prefix)
{
	struct asking *asking = container_of(complete, struct asking, complete);
	SOCLE_AUTO(domain) dom = NULL;

	if (complete->uri)
		asking->cli->uri = complete->uri;
	asking->cli->timeout_ms = PATIENCE_MS;
	asking->cli->readonly = true;
	if (!cli_connect_flags(asking->cli, SOCLE_OPEN_NO_AUTOSTART | SOCLE_OPEN_NO_QUESTIONS,
			       NULL))
		return;
	if (what == CLI_TEMPLATE) {
		offer_templates(asking, prefix);
		return;
	}
	if (what == CLI_MACHINE || what == CLI_RUNNING || what == CLI_STOPPED) {
		offer_machines(asking,
			       what == CLI_RUNNING   ? SOCLE_LIST_ACTIVE
			       : what == CLI_STOPPED ? SOCLE_LIST_INACTIVE
						     : 0,
			       prefix);
		return;
	}
	if (what == CLI_NETWORK || what == CLI_POOL || what == CLI_VOLUME || what == CLI_SECRET) {
		offer_objects(asking, what, prefix);
		return;
	}
	if (!complete->words->len)
		return;
	dom = cli_machine(asking->cli, g_ptr_array_index(complete->words, 0), NULL);
	if (dom && what == CLI_SNAPSHOT)
		offer_snapshots(asking, dom, prefix);
	else if (dom && what == CLI_DISK)
		offer_disks(asking, dom, prefix);
}

static int run_complete(struct cli *cli, const struct cli_args *args, GError **error)
{
	g_autoptr(GPtrArray) words = g_ptr_array_new();
	struct asking asking = {
		.complete = { .out = g_ptr_array_new_with_free_func(g_free), .names = ask_names },
		.cli = cli,
	};

	(void)error;
	for (unsigned i = 0; i < cli_args_words(args); i++)
		g_ptr_array_add(words, (void *)(uintptr_t)cli_args_word(args, i));
	complete_words(&asking.complete, (char *const *)words->pdata, words->len);
	for (unsigned i = 0; i < asking.complete.out->len; i++)
		cli_out("%s\n", (const char *)g_ptr_array_index(asking.complete.out, i));
	g_ptr_array_unref(asking.complete.out);
	return CLI_OK;
}

const struct cli_command cli_complete = {
	.verb = "__complete",
	.arguments = "-- WORD...",
	.summary = "Tell a shell what may stand there",
	.max = CLI_ANY_NUMBER,
	.flags = CLI_LOCAL | CLI_HIDDEN,
	.run = run_complete,
};

/* ---- scripts ---- */

static const char bash_script[] =
	"# bash completion of socle; load it by: source <(socle completion bash)\n"
	"_socle() {\n"
	"\t# Bash makes several words of --name=value and of a URI: what has no blank between is "
	"one.\n"
	"\tlocal rest=${COMP_LINE:0:COMP_POINT} joined=() i word gap line\n"
	"\tfor ((i = 0; i <= COMP_CWORD; i++)); do\n"
	"\t\tgap=${rest%%[![:space:]]*}\n"
	"\t\trest=${rest#\"$gap\"}\n"
	"\t\tword=$rest\n"
	"\t\t((i < COMP_CWORD)) && word=${COMP_WORDS[i]}\n"
	"\t\trest=${rest#\"$word\"}\n"
	"\t\tif ((i == 0)) || [[ -n $gap ]]; then\n"
	"\t\t\tjoined+=(\"$word\")\n"
	"\t\telse\n"
	"\t\t\tjoined[-1]+=$word\n"
	"\t\tfi\n"
	"\tdone\n"
	"\t# Bash puts the answer in the place of its own last word.\n"
	"\t[[ $word == [=:] ]] && word=\n"
	"\tlocal before=${joined[-1]%\"$word\"}\n"
	"\tCOMPREPLY=()\n"
	"\twhile IFS= read -r line; do\n"
	"\t\tif [[ $line == :file ]]; then\n"
	"\t\t\tcompopt -o filenames 2>/dev/null\n"
	"\t\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n"
	"\t\t\treturn\n"
	"\t\tfi\n"
	"\t\tCOMPREPLY+=(\"$(printf %q \"${line#\"$before\"}\")\")\n"
	"\tdone < <(socle __complete -- \"${joined[@]:1}\" 2>/dev/null)\n"
	"}\n"
	"complete -F _socle socle\n";

static const char zsh_script[] =
	"#compdef socle\n"
	"# zsh completion of socle; put it into a folder of $fpath as _socle\n"
	"_socle() {\n"
	"\tlocal -a lines\n"
	"\tlines=(\"${(@f)$(socle __complete -- \"${(@)words[2,CURRENT]}\" 2>/dev/null)}\")\n"
	"\tif [[ $lines[1] == :file ]]; then\n"
	"\t\t_files\n"
	"\telse\n"
	"\t\tcompadd -- \"${(@)lines:#}\"\n"
	"\tfi\n"
	"}\n"
	"if [[ $funcstack[1] == _socle ]]; then _socle \"$@\"; else compdef _socle socle; fi\n";

static const char fish_script[] =
	"# fish completion of socle; load it by: socle completion fish | source\n"
	"function __socle_complete\n"
	"\tset -l words (commandline -opc) (commandline -ct)\n"
	"\tset -l lines (socle __complete -- $words[2..-1] 2>/dev/null)\n"
	"\tif test \"$lines[1]\" = :file\n"
	"\t\t__fish_complete_path (commandline -ct)\n"
	"\telse\n"
	"\t\tstring join \\n -- $lines\n"
	"\tend\n"
	"end\n"
	"complete -c socle -f -a '(__socle_complete)'\n";

static int run_completion(struct cli *cli, const struct cli_args *args, GError **error)
{
	static const struct {
		const char *shell, *script;
	} scripts[] = { { "bash", bash_script }, { "zsh", zsh_script }, { "fish", fish_script } };

	(void)cli;
	for (unsigned i = 0; i < G_N_ELEMENTS(scripts); i++) {
		if (!strcmp(cli_args_word(args, 0), scripts[i].shell)) {
			cli_out("%s", scripts[i].script);
			return CLI_OK;
		}
	}
	error_set(error, SOCLE_ERROR_USAGE,
		  "there is no completion for '%s'; for bash, zsh and fish",
		  cli_args_word(args, 0));
	return CLI_USAGE;
}

const struct cli_command cli_completion = {
	.verb = "completion",
	.arguments = "bash|zsh|fish",
	.summary = "Print the script that lets a shell complete commands and names",
	.what = { CLI_COMMAND },
	.min = 1,
	.max = 1,
	.flags = CLI_LOCAL,
	.run = run_completion,
};
