using System.CommandLine;
using System.Globalization;
using LatentBridge.Previews;

namespace LatentBridge.Host.Commands;

/// <summary>Rows of <see cref="PreviewOptions.All"/> as options of a command: <c>--size</c>, <c>--scaling</c>, <c>--frame</c>, <c>--quality</c>.</summary>
sealed class PreviewOptionSet
{
    readonly (PreviewOption Row, Option<string?> Option)[] _options;

    /// <summary>Adds the options to the command.</summary>
    /// <param name="command">The command.</param>
    /// <param name="defaults">What holds for an option that is not given.</param>
    /// <param name="names">The rows' names.</param>
    internal PreviewOptionSet(Command command, PreviewOptions defaults, params string[] names)
    {
        _options = [.. names.Select(name => PreviewOptions.All.First(row => row.Name == name)).Select(row => (row, Make(row, defaults)))];
        foreach ((_, Option<string?> option) in _options)
        {
            command.Add(option);
        }
    }

    /// <summary>The options with what the command line says.</summary>
    internal PreviewOptions Apply(ParseResult parsed, PreviewOptions options) =>
        _options.Aggregate(options, (sum, pair) => pair.Row.With(sum, ValueOf(pair.Row, parsed.GetValue(pair.Option)!)));

    static Option<string?> Make(PreviewOption row, PreviewOptions defaults)
    {
        Option<string?> option = new($"--{row.Name}")
        {
            Description = $"{row.Help}.",
            HelpName = string.Join('|', row.Range is null ? row.Words : [.. row.Words, "N"]),
            DefaultValueFactory = _ => string.Create(CultureInfo.InvariantCulture, $"{row.Of(defaults)}"),
        };
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count > 0 && !row.Takes(ValueOf(row, result.Tokens[0].Value)))
            {
                result.AddError($"{option.Name} {result.Tokens[0].Value}: expected {row.Expected}.");
            }
        });
        return option;
    }

    static object ValueOf(PreviewOption row, string text) =>
        row.Range is not null && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number : text;
}
