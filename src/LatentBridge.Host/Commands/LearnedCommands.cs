using System.CommandLine;
using System.Globalization;
using LatentBridge.Host.Output;
using LatentBridge.Sessions;

namespace LatentBridge.Host.Commands;

/// <summary>What <c>latentbridge models</c> says of the decoders that were learned from the user's pictures, and how they are forgotten.</summary>
static class LearnedCommands
{
    const string All = "all";

    internal static Command Forget(Terminal terminal) => Create(
        "forget", "Delete the pictures that are kept to learn from, and the decoders that were learned.", terminal,
        space => space.Forget(), space => $"{space.Space}: {space.Kept} pictures and what was learned from them are deleted.");

    internal static Command RollBack(Terminal terminal) => Create(
        "rollback", "Go back to the decoder that was learned before, or to none. Pictures stay.", terminal,
        space => space.RollBack(), space => $"{space.Space}: {(space.HasBefore ? "the decoder before is used again" : "the learned decoder is taken away; there is none before it")}.");

    internal static void Write(Terminal terminal, LearnedDecoder[] spaces)
    {
        if (spaces.Length == 0)
        {
            return;
        }

        TextTable table = new("learned: latent space", "pictures kept>", "MB>", "decoder", "learned", "one before");
        foreach (LearnedDecoder space in spaces)
        {
            table.Add(
                space.Space, space.Kept.ToString(CultureInfo.InvariantCulture), (space.Bytes / 1e6).ToString("0.0", CultureInfo.InvariantCulture),
                space.Pictures is null ? "none yet" : string.Create(CultureInfo.InvariantCulture, $"{space.Pictures} pictures, {space.Psnr:0.0} dB"),
                space.When?.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture) ?? "", space.HasBefore ? "yes" : "no");
        }

        terminal.Write(table);
    }

    static Command Create(string name, string description, Terminal terminal, Action<LearnedDecoder> change, Func<LearnedDecoder, string> done)
    {
        Argument<string> which = new Argument<string>("SPACE") { Description = $"A latent space or format that `models list` shows as learned, or {All}." }.WithoutOptions();
        Command command = new(name, description) { which };
        command.SetAction(parsed =>
        {
            string asked = parsed.GetValue(which)!;
            IReadOnlyList<LearnedDecoder> all = LearnedDecoder.All();
            LearnedDecoder[] chosen = [.. all.Where(space => asked == All || asked.Equals(space.Space, StringComparison.OrdinalIgnoreCase) || asked.Equals(space.Format, StringComparison.OrdinalIgnoreCase))];
            if (chosen.Length == 0)
            {
                throw new InputException($"Nothing was learned of \"{asked}\". There is: {(all.Count == 0 ? "nothing" : string.Join(", ", all.Select(space => space.Space)))}.");
            }

            foreach (LearnedDecoder space in chosen)
            {
                change(space);
                terminal.Say(done(space));
            }

            return ExitCode.Done;
        });
        return command;
    }
}
