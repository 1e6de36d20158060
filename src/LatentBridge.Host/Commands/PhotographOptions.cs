using System.CommandLine;
using LatentBridge.Decoders;
using LatentBridge.Formats;
using LatentBridge.Host.Output;
using LatentBridge.Host.Photographs;
using LatentBridge.Host.Sheets;
using LatentBridge.Weights;
using Newtonsoft.Json;

namespace LatentBridge.Host.Commands;

/// <summary>What commands that measure with photographs have in common: the photographs, the latent formats with their TAESD, the threads, and how the table is shown.</summary>
sealed class PhotographOptions
{
    readonly int _smallestSide;
    readonly Argument<string[]> _pictures =
        new Argument<string[]>("PICTURE") { Description = "PNG pictures, or folders of them.", Arity = ArgumentArity.OneOrMore }.WithoutOptions();
    readonly Option<string[]> _formats;
    readonly Option<string[]> _models = new("--models") { Description = "More folders of weights.", HelpName = "DIR", DefaultValueFactory = _ => [], AllowMultipleArgumentsPerToken = true };
    readonly Option<int> _threads = OptionExtensions.Threads("it");
    readonly Option<bool> _markdown = new("--markdown") { Description = "Print the table as Markdown." };
    readonly Option<bool> _json;

    /// <summary>Adds them to a command.</summary>
    /// <param name="command">The command.</param>
    /// <param name="formats">The latent formats it takes when none is named.</param>
    /// <param name="smallestSide">Pixels a picture must have each way.</param>
    internal PhotographOptions(Command command, string[] formats, int smallestSide)
    {
        _smallestSide = smallestSide;
        _formats = new Option<string[]>("--format", "-f") { Description = "Latent formats.", HelpName = "ID", DefaultValueFactory = _ => formats, AllowMultipleArgumentsPerToken = true }.OfLatentFormats();
        command.Add(_pictures);
        command.Add(_formats, _models, _threads, _markdown);
        _json = command.Json();
    }

    internal string[] Files(ParseResult parsed) => [.. parsed.GetValue(_pictures)!.SelectMany(PictureFiles.Find)];

    internal Picture Read(string file) => PictureFiles.Read(file, _smallestSide);

    /// <summary>The formats' TAESD, or what there is of it; nothing is loaded yet.</summary>
    internal TaesdPair[] Formats(ParseResult parsed)
    {
        WeightLibrary weights = LatentDecoders.WeightsOfThisMachine(parsed.GetValue(_models));
        return [.. parsed.GetValue(_formats)!.Select(id => new TaesdPair(LatentFormats.Get(id), weights, Threads(parsed)))];
    }

    internal int Threads(ParseResult parsed) => parsed.ThreadCount(_threads);

    /// <summary>Shows the table, with a note below it, as Markdown without, or another thing as JSON.</summary>
    internal void Write(ParseResult parsed, Terminal terminal, TextTable table, string note, Action<JsonTextWriter> json)
    {
        if (parsed.GetValue(_json))
        {
            terminal.WriteJson(json);
        }
        else if (parsed.GetValue(_markdown))
        {
            foreach (string line in table.ToMarkdown())
            {
                terminal.Say(line);
            }
        }
        else
        {
            terminal.Write(table);
            terminal.Say(note);
        }
    }
}
