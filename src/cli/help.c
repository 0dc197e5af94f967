/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * help.c - help and the lists of the man page, from the tables that commands are parsed by
 */
#include <string.h>

#include "cli/cli.h"

/* "-f, --format=FORMAT" */
static char *option_text(const struct cli_option *row)
{
	char letter[5] = "    ";

	if (row->letter) {
		letter[0] = '-';
		letter[1] = row->letter;
		letter[2] = ',';
	}
	return g_strdup_printf("%s--%s%s%s", letter, row->name, row->value ? "=" : "",
			       row->value ? row->value : "");
}

static void options_help(const char *title, const struct cli_option *row)
{
	if (!row || !row->name)
		return;
	cli_out("\n%s:\n", title);
	for (; row->name; row++) {
		g_autofree char *text = option_text(row);

		if (strlen(text) > 30)
			cli_out("  %s\n  %-30s %s\n", text, "", row->help);
		else
			cli_out("  %-30s %s\n", text, row->help);
	}
}

static void command_line(const struct cli_command *command)
{
	g_autofree char *name = cli_command_name(command);
	g_autofree char *text = g_strdup_printf("%s %s", name, command->arguments);

	if (strlen(text) > 38)
		cli_out("  %s\n  %-38s %s\n", text, "", command->summary);
	else
		cli_out("  %-38s %s\n", text, command->summary);
}

void cli_help(void)
{
	const char *noun = NULL;

	cli_out("usage: socle [OPTION...] COMMAND [OPTION...] [WORD...]\n\n"
		"A MACHINE is named by its name, number, UUID, or the start of its UUID.\n");
	for (unsigned i = 0; cli_commands[i]; i++) {
		if (cli_commands[i]->flags & CLI_HIDDEN)
			continue;
		if (!i || g_strcmp0(cli_commands[i]->noun, noun) != 0)
			cli_out("\n");
		noun = cli_commands[i]->noun;
		command_line(cli_commands[i]);
	}
	cli_out("\nA VOLUME is POOL/NAME, a path, or with --pool=POOL its name.\n"
		"Most commands of 'vm' go without that word: 'socle start debian'. Many names "
		"of\n"
		"virsh's are known: define, dumpxml, domstate, net-list, vol-create-as, ...\n");
	options_help("Options of all commands", cli_global_options);
	cli_out("\n'socle COMMAND --help' tells the options of a command, socle(1) the exit "
		"status.\n");
}

void cli_help_noun(const char *noun)
{
	cli_out("usage: socle %s VERB [OPTION...] [WORD...]\n\n", noun);
	for (unsigned i = 0; cli_commands[i]; i++) {
		if (!g_strcmp0(cli_commands[i]->noun, noun))
			command_line(cli_commands[i]);
	}
}

void cli_help_command(const struct cli_command *command)
{
	g_autofree char *name = cli_command_name(command);

	cli_out("usage: socle %s [OPTION...] %s\n\n%s.\n", name, command->arguments,
		command->summary);
	if (command->flags & CLI_BARE || command->names)
		cli_out("Also: %s%s%s\n", command->flags & CLI_BARE ? command->verb : "",
			command->flags & CLI_BARE && command->names ? " " : "",
			command->names ? command->names : "");
	options_help("Options", command->options);
	options_help("Options of all commands", cli_global_options);
}

/* Text for troff: hyphens that can be copied. */
static void man_text(const char *text)
{
	for (; *text; text++) {
		if (*text == '-')
			cli_out("\\-");
		else if (*text == '\\')
			cli_out("\\e");
		else
			cli_out("%c", *text);
	}
}

static void man_options(const struct cli_option *row)
{
	for (; row && row->name; row++) {
		g_autofree char *text = option_text(row);

		man_text(g_strchug(text));
		cli_out(": ");
		man_text(row->help);
		cli_out("\n");
	}
}

void cli_help_man(void)
{
	cli_out(".SS Of all commands\n.nf\n");
	man_options(cli_global_options);
	cli_out(".fi\n");
	for (unsigned i = 0; cli_commands[i]; i++) {
		const struct cli_command *command = cli_commands[i];
		g_autofree char *name = cli_command_name(command);

		if (command->flags & CLI_HIDDEN)
			continue;
		cli_out(".TP\n.B ");
		man_text(name);
		cli_out(" \\fI");
		man_text(command->arguments);
		cli_out("\\fR\n");
		man_text(command->summary);
		cli_out(".\n");
		if (command->names) {
			cli_out("Also: ");
			man_text(command->names);
			cli_out(".\n");
		}
		if (command->options) {
			cli_out(".RS\n.nf\n");
			man_options(command->options);
			cli_out(".fi\n.RE\n");
		}
	}
}
