using System.CommandLine;
using System.Text;
using LatentBridge.Host.Output;
using LatentBridge.Sessions.Control;

namespace LatentBridge.Host.Commands;

/// <summary><c>latentbridge options</c>: the table of preview options as JSON, which ships with the shim as <c>options.json</c>.</summary>
static class OptionsCommand
{
    internal static Command Create(Terminal terminal)
    {
        var command = new Command("options", "Print the preview options as JSON: name, default, what each takes.");
        command.SetAction(_ => terminal.Say(Encoding.UTF8.GetString(OptionTable.ToFile()).TrimEnd()));
        return command;
    }
}
