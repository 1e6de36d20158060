using System.CommandLine;
using System.CommandLine.Help;
using LatentBridge.Host.Commands;
using LatentBridge.Host.Output;

namespace LatentBridge.Host;

/// <summary>The command line: every command but <c>serve</c>, which <c>Program.cs</c> dispatches before this is loaded.</summary>
static class CommandLine
{
    /// <summary>Runs one command against the process's own streams and returns its exit code.</summary>
    internal static int Run(string[] arguments) => Run(arguments, new Terminal(Console.Out, Console.Error), Console.Out, Console.Error);

    /// <summary>Runs one command and returns its exit code: 0 done, 1 failed, 2 wrong usage or unreadable input.</summary>
    internal static int Run(string[] arguments, Terminal terminal, TextWriter output, TextWriter error)
    {
        ParseResult parsed = Root(terminal).Parse(arguments.Length == 0 ? ["--help"] : arguments);
        if (parsed.Errors.Count > 0)
        {
            foreach (var found in parsed.Errors)
            {
                error.WriteLine(found.Message);
            }

            error.WriteLine($"See {Path(parsed.CommandResult)} --help.");
            return ExitCode.Usage;
        }

        try
        {
            return parsed.Invoke(new InvocationConfiguration { Output = output, Error = error, EnableDefaultExceptionHandler = false });
        }
        catch (InputException failure)
        {
            error.WriteLine(failure.Message);
            return ExitCode.Usage;
        }
        catch (Exception failure) when (failure is LatentBridgeException or IOException or UnauthorizedAccessException or OutOfMemoryException)
        {
            error.WriteLine(failure.Message);
            return ExitCode.Failed;
        }
#pragma warning disable CA1031 // The last seam: whatever else happens is a fault of this program, and ends it with 1 like any failure.
        catch (Exception failure)
#pragma warning restore CA1031
        {
            error.WriteLine($"This is a bug in LatentBridge. Please report it, with what you did: {failure}");
            return ExitCode.Failed;
        }
    }

    static Command Root(Terminal terminal) => new("latentbridge", "Live previews for diffusion models: latents to pictures on idle CPU cores.")
    {
        new HelpOption(),
        new VersionOption(),
        DecodeCommand.Create(terminal),
        EncodeCommand.Create(terminal),
        InspectCommand.Create(terminal),
        ScanCommand.Create(terminal),
        ModelsCommand.Create(terminal),
        DemoCommand.Create(terminal),
        DoctorCommand.Create(terminal),
        BenchCommand.Create(terminal),
        QualityCommand.Create(terminal),
        CompareCommand.Create(terminal),
        FitCommand.Create(terminal),
        TrainCommand.Create(terminal),
        CodecCommand.Create(terminal),
        ReplayCommand.Create(terminal),
        OptionsCommand.Create(terminal),
        new Command("serve", "The host that UIs start: JSON-RPC on stdin and stdout, described in docs/protocol.md."),
    };

    static string Path(System.CommandLine.Parsing.CommandResult command) =>
        command.Parent is System.CommandLine.Parsing.CommandResult parent ? $"{Path(parent)} {command.Command.Name}" : command.Command.Name;
}
