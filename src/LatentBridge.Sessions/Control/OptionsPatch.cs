using System.Text.Json;
using LatentBridge.Previews;

namespace LatentBridge.Sessions.Control;

/// <summary>Those options that a message names; the others stay as they are.</summary>
sealed class OptionsPatch
{
    readonly List<(PreviewOption Option, object Value)> _said = [];

    public void Clear() => _said.Clear();

    /// <summary>Reads the member whose name the reader is on, when it is an option; afterwards the reader is on its value.</summary>
    /// <param name="json">On a name.</param>
    /// <param name="wrong">Set when it is null and the option does not take the value.</param>
    /// <returns>False when there is no such option; the reader stays.</returns>
    public bool ReadNext(ref Utf8JsonReader json, ref string? wrong)
    {
        foreach (PreviewOption option in PreviewOptions.All)
        {
            if (option.IsPartOfLatent || !json.ValueTextEquals(option.Name))
            {
                continue;
            }

            json.Read();
            object? value = json.TokenType switch
            {
                JsonTokenType.Number when json.TryGetInt32(out int number) => number,
                JsonTokenType.String => json.GetString(),
                JsonTokenType.True => true,
                JsonTokenType.False => false,
                _ => null,
            };
            if (value is not null && option.Takes(value))
            {
                _said.Add((option, value));
            }
            else
            {
                wrong ??= $"\"{option.Name}\" must be {option.Expected}{(value is null ? "" : $", found {value}")}.";
            }

            return true;
        }

        return false;
    }

    /// <summary>The options with these changes.</summary>
    /// <param name="options">What holds where nothing is said.</param>
    /// <param name="encodings">Those the host has.</param>
    /// <exception cref="ControlException">The host has no encoder for the encoding.</exception>
    public PreviewOptions Apply(PreviewOptions options, IReadOnlyList<PreviewEncoding> encodings)
    {
        foreach ((PreviewOption option, object value) in _said)
        {
            options = option.With(options, value);
        }

        return encodings.Contains(options.Encoding) ? options
            : throw new ControlException(
                ControlException.InvalidParams, $"\"encoding\" is \"{options.Encoding.Name()}\"; this host has {string.Join(", ", encodings.Select(e => e.Name()))}.");
    }
}
