using System.Globalization;

namespace LatentBridge.Sessions;

/// <summary>Why a decoder was chosen.</summary>
enum ChoiceRule
{
    Pinned,
    FirstPicture,
    BeforeNextStep,
    LastStep,
    OnScreen,
    FastestOfAll,
}

/// <summary>A chosen decoder and why; the sentence is made only when somebody asks.</summary>
readonly record struct DecoderChoice(
    DecoderCandidate Decoder, ChoiceRule Rule, double PredictedMilliseconds, double BudgetMilliseconds, int Threads, string Pin, DecoderCandidate? Better)
{
    /// <summary>True where the folders were still being searched for weights: what was asked for may be there in a moment.</summary>
    public bool IsSearching { get; init; }

    /// <summary>A sentence for status.</summary>
    public string Reason
    {
        get
        {
            string id = Decoder.Description.Id;
            string threads = Threads == 1 ? "1 thread" : $"{Threads} threads";
            string sentence = Rule switch
            {
                ChoiceRule.Pinned => $"{id} was asked for",
                ChoiceRule.FirstPicture => $"the first picture shows quickly: {id} is expected to take {Ms(PredictedMilliseconds)} on {threads}",
                ChoiceRule.BeforeNextStep => $"{id} is expected to take {Ms(PredictedMilliseconds)} on {threads}, a step takes {Ms(BudgetMilliseconds)}",
                ChoiceRule.LastStep => $"last step: {id} is the best expected within {Ms(BudgetMilliseconds)} ({Ms(PredictedMilliseconds)} on {threads})",
                ChoiceRule.OnScreen => $"{id} made the picture of a step just before, and a coarser one does not take its place",
                _ => $"{id} is the fastest there is; nothing is expected within {Ms(BudgetMilliseconds)}",
            };
            if (Better is { } better)
            {
                sentence += better.Failure is { } failure ? $"; {better.Description.Id} failed: {failure}"
                    : better.IsLoaded ? $"; {better.Description.Id} would come too late" : $"; {better.Description.Id} is being loaded";
            }

            return Rule == ChoiceRule.Pinned || Pin == "auto" ? sentence
                : !IsMissing && Better!.Failure is null ? $"{Pin} was asked for; {sentence}"
                : IsSearching && Better is null ? $"{Pin} was asked for, and the folders are still being searched for weights; {sentence}"
                : $"{Pin} was asked for, but there is none for this format that works; {sentence}";
        }
    }

    /// <summary>Why the decoder that somebody chose does not make this picture, in a few words; else what a learned one was learned from, or null.</summary>
    public string? Note => IsAsWished ? Decoder.Description.Id == LearnedSpace.DecoderId ? Decoder.Source : null
        : IsMissing ? IsSearching ? $"{Pin} is being looked for" : $"no {Pin} here"
        : Better!.Failure is not null ? $"{Pin} failed"
        : Better.IsLoaded ? $"{Pin} would come too late" : $"{Pin} is being loaded";

    /// <summary>What somebody should do something about: the chosen decoder is not there or fails. Null when it is only late.</summary>
    public string? Warning => IsAsWished ? null
        : IsMissing ? IsSearching ? null : $"the decoder {Pin} was chosen, but there is none of that name for this model: expected one that `latentbridge models list` shows; check the name, and that its file is there"
        : Better!.Failure is { } failure ? $"the decoder {Pin} was chosen, but it failed: {failure}" : null;

    bool IsAsWished => Pin == "auto" || Decoder.Description.Id == Pin;

    bool IsMissing => Better is null || Better.Description.Id != Pin;

    static string Ms(double milliseconds) => milliseconds.ToString(milliseconds < 10 ? "0.0" : "0", CultureInfo.InvariantCulture) + " ms";
}
