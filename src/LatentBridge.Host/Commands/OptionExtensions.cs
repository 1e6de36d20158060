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

    /// <summary>The option of every command whose result a program may want to read.</summary>
    internal static Option<bool> Json(this Command command)
    {
        Option<bool> json = new("--json") { Description = "One JSON document on stdout." };
        command.Add(json);
        return json;
    }
}
