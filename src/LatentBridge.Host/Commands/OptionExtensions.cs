using System.CommandLine;
using System.CommandLine.Parsing;
using LatentBridge.Formats;

namespace LatentBridge.Host.Commands;

/// <summary>Checks that several commands' options share.</summary>
static class OptionExtensions
{
    /// <summary>Refuses numbers outside a range; both ends belong to it.</summary>
    internal static Option<int> Within(this Option<int> option, int lowest, int highest)
    {
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count > 0 && (!int.TryParse(result.Tokens[0].Value, out int value) || value < lowest || value > highest))
            {
                result.AddError($"{option.Name} {result.Tokens[0].Value}: expected a number from {lowest} to {highest}.");
            }
        });
        return option;
    }

    /// <summary>Refuses ids that no latent format has.</summary>
    internal static Option<T> OfLatentFormats<T>(this Option<T> option)
    {
        option.Validators.Add(result =>
        {
            foreach (Token token in result.Tokens)
            {
                try
                {
                    LatentFormats.Get(token.Value);
                }
                catch (LatentBridgeException failure)
                {
                    result.AddError(failure.Message);
                }
            }
        });
        return option;
    }

    /// <summary>Refuses words that begin as options do: a mistyped option is not a file (one of such a name is given as <c>./-name</c>).</summary>
    internal static TArgument WithoutOptions<TArgument>(this TArgument argument)
        where TArgument : Argument
    {
        argument.Validators.Add(result =>
        {
            if (result.Tokens.FirstOrDefault(token => token.Value is ['-', _, ..]) is { } found)
            {
                result.AddError($"There is no option {found.Value}.");
            }
        });
        return argument;
    }

    /// <summary>Adds several options, in the order of the help.</summary>
    internal static void Add(this Command command, params ReadOnlySpan<Option> options)
    {
        foreach (Option option in options)
        {
            command.Add(option);
        }
    }

    /// <summary><c>--threads</c>, read by <see cref="ThreadCount"/>.</summary>
    /// <param name="user">Who may use them.</param>
    internal static Option<int> Threads(string user) => new Option<int>("--threads") { Description = $"Threads that {user} may use; 0: all cores.", HelpName = "N" }.Within(0, 256);

    /// <summary>What <see cref="Threads"/> says: those asked for, else all cores.</summary>
    internal static int ThreadCount(this ParseResult parsed, Option<int> threads) => parsed.GetValue(threads) is > 0 and int given ? given : Environment.ProcessorCount;

    /// <summary><c>--decoder</c> of the commands that take several, read by <see cref="Named"/>.</summary>
    /// <param name="otherwise">Which are taken when none is named.</param>
    internal static Option<string[]> Decoders(string otherwise) => new("--decoder", "-d", "--decoders")
    {
        Description = $"Decoders, separated by commas or spaces; default: {otherwise}.",
        HelpName = "A,B",
        DefaultValueFactory = _ => [],
        AllowMultipleArgumentsPerToken = true,
    };

    /// <summary>The ids that <see cref="Decoders"/> was given; none: all.</summary>
    internal static string[] Named(this ParseResult parsed, Option<string[]> decoders) =>
        [.. parsed.GetValue(decoders)!.SelectMany(words => words.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))];

    /// <summary>The option of every command whose result a program may want to read.</summary>
    internal static Option<bool> Json(this Command command)
    {
        Option<bool> json = new("--json") { Description = "Print one JSON document on stdout." };
        command.Add(json);
        return json;
    }
}
