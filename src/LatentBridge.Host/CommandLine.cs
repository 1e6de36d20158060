using System.CommandLine;
using System.CommandLine.Help;

namespace LatentBridge.Host;

/// <summary>The command line: every command but <c>serve</c>, which <c>Program.cs</c> dispatches before this is loaded.</summary>
static class CommandLine
{
    /// <summary>Runs one command against the process's own streams and returns its exit code.</summary>
    internal static int Run(string[] arguments) => Run(arguments, Console.Out, Console.Error);

    /// <summary>Runs one command and returns its exit code: 0 done, 1 failed, 2 wrong usage or unreadable input.</summary>
    internal static int Run(string[] arguments, TextWriter output, TextWriter error)
    {
        ParseResult parsed = Root().Parse(arguments.Length == 0 ? ["--help"] : arguments);
        if (parsed.Errors.Count > 0)
        {
            foreach (var found in parsed.Errors)
            {
                error.WriteLine(found.Message);
            }

            return ExitCode.Usage;
        }

        return parsed.Invoke(new InvocationConfiguration { Output = output, Error = error, EnableDefaultExceptionHandler = false });
    }

    static Command Root()
    {
        Command root = new("latentbridge", "Live previews for diffusion models: latents to pictures on idle CPU cores.")
        {
            new HelpOption(),
            new VersionOption(),
            new Command("serve", "The host a UI starts: JSON-RPC on stdin and stdout, see docs/protocol.md."),
        };
        return root;
    }
}
