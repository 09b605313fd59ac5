"""List the sentences, written for this project: templates per class and split, and the words of their slots.

A slot is a name in braces; `{who}` is drawn from `SLOTS["who"]`, and so on. A class is an emotion or "neutral".
No template occurs in two splits.
"""

from __future__ import annotations

SLOTS: dict[str, tuple[str, ...]] = {
    "who": (
        "my brother",
        "my sister",
        "my neighbour",
        "my boss",
        "our teacher",
        "my cousin",
        "my flatmate",
        "the manager",
    ),
    "name": ("Anna", "Daniel", "Maria", "Peter", "Sara", "Leo", "Nina", "Omar"),
    "thing": ("bike", "phone", "laptop", "camera", "guitar", "jacket", "bag", "watch"),
    "place": ("kitchen", "office", "garage", "garden", "library", "station", "hotel", "basement"),
    "food": ("soup", "milk", "fish", "rice", "cheese", "salad", "chicken", "sauce"),
    "when": ("last night", "this morning", "yesterday", "on Monday", "last week", "on Sunday", "this afternoon"),
    "city": ("Lisbon", "Dublin", "Oslo", "Chicago", "Vienna", "Toronto", "Madrid"),
    "event": ("wedding", "concert", "match", "party", "exam", "trip", "interview"),
    "pet": ("dog", "cat", "rabbit", "parrot", "hamster"),
}

SENTENCES: dict[str, dict[str, str]] = {
    "anger": {
        "train": """
            I am sick of {who} shouting at me.
            How dare you take my {thing} again!
            Do not ever speak to me like that.
            I told you three times to stop, and you ignored me.
            {name} lied to my face {when}, and I am furious.
            You broke my {thing} and you did not even care!
            I have had enough of your excuses.
            They cheated us, and I want my money back now.
            Stop blaming me for your own stupid mistakes!
            I am so angry with {name} I could scream.
            This is outrageous, I demand an explanation.
            Who gave you the right to read my messages?
            {who} insulted me in front of everyone.
            I hate it when people treat me like an idiot.
            Get out of my {place} right now!
            You had no right to sell my {thing}.
            It makes my blood boil how they treat us.
            I will not put up with this nonsense any longer.
            Shut up and let me finish for once!
            {name} stole my idea and took all the credit.
            They kept me waiting for three hours, it is infuriating.
            I am fed up with paying for your damage.
            You ruined the {event} on purpose, admit it!
            Leave me alone before I lose my temper.
            """,
        "valid": """
            You betrayed me, and I will never forgive you.
            I am absolutely livid about what {who} did {when}.
            Take your hands off my {thing} this instant!
            It is unfair, and I am mad as hell.
            Why do you always have to be so rude to me?
            """,
        "test": """
            I am raging, they towed my car {when} for nothing.
            Do you think I am a fool? Get lost!
            {name} keeps disrespecting me, and I won't take it.
            I swear I will complain until somebody gets fired.
            How could you be so selfish and so careless!
            I am boiling with anger at {who}.
            Enough! I do not want to hear another lie.
            They wrecked my {thing} and laughed about it, the cowards.
            """,
    },
    "disgust": {
        "train": """
            The {food} in the fridge smells rotten.
            Yuck, there is hair in my {food}.
            I found maggots in the {food} {when}.
            That {place} stinks like a sewer.
            It makes me sick just to look at it.
            He picked his nose and then shook my hand.
            The toilet was filthy, I nearly threw up.
            Ugh, the {pet} vomited on my pillow.
            I stepped into something slimy in the {place}.
            That is the most revolting {food} I ever tasted.
            There was mould all over the {food}.
            I can not stand the smell of his dirty socks.
            A fat cockroach crawled across my plate.
            {name} licked the spoon and put it back, gross.
            The whole {place} reeks of old garbage.
            Those greasy fingers on my glass, how nasty.
            I gagged when I saw the dirty kitchen sink.
            The way he talks about women is repulsive.
            Eww, this {food} has gone sour.
            I feel nauseous from that awful stench.
            What they did to those animals is sickening.
            Somebody spat on the floor of the {place}, disgusting.
            It tastes like rancid grease, take it away.
            There are bugs crawling in my {food}!
            """,
        "valid": """
            The {pet} brought in a dead rat, it is foul.
            I can not eat that slimy {food}, it turns my stomach.
            His breath smells of rotten eggs.
            That bathroom is vile, I will not go in.
            Yuck, the towel is covered with stains.
            """,
        "test": """
            I found a used bandage in my {food}.
            Ugh, the {place} smells of rats and sweat.
            This is putrid, I want to wash my hands.
            {name} chews with his mouth open, it is so gross.
            The {food} was covered with flies, I felt ill.
            What a loathsome thing to say, he makes me sick.
            There is slime dripping from the tap, eww.
            I almost puked when I opened the bin.
            """,
    },
    "fear": {
        "train": """
            Somebody is following me, I am scared.
            I heard footsteps in the {place} {when}.
            Please do not leave me alone in the dark.
            I am terrified of what the doctor will say.
            There is a stranger outside with a knife.
            My hands are shaking, I can not go in there.
            I am afraid {who} will hurt me.
            What if the plane crashes on the way to {city}?
            I keep having nightmares about the {place}.
            Did you hear that scream? We must hide.
            I panicked when the brakes failed {when}.
            Something moved behind the door, I am frightened.
            I dread going back to that {place} alone.
            Lock the door, quick, he is coming!
            I think we are in danger, please call for help.
            I was so scared I could not breathe.
            The ice is cracking under us, do not move!
            I am worried sick, {name} is still not home.
            They threatened me, and I fear for my children.
            The lights went out and I heard whispering.
            My heart is pounding, I want to get out.
            There is smoke everywhere, I can not see the exit!
            I am anxious about the {event}, I might collapse.
            The {pet} is growling at something in the {place}.
            """,
        "valid": """
            I am too frightened to open that door.
            Please hurry, I think he has a gun!
            I woke up trembling from a terrible dream.
            It is so dark in here, I am afraid.
            What if they find us? I am panicking.
            """,
        "test": """
            I saw a shadow at my window {when}, I am petrified.
            Don't go down to the {place}, it is not safe!
            I am scared to death of that man.
            The water is rising fast, we are going to drown!
            I get terrified whenever the phone rings at night.
            Somebody broke into the {place}, and I am trembling.
            I am nervous and afraid, stay close to me.
            Run, the roof is about to fall!
            """,
    },
    "happiness": {
        "train": """
            I am so happy to see you again!
            We won the {event}, and everybody cheered.
            {name} said yes, we are getting married!
            This is the best day of my life.
            I love my new {thing}, it is wonderful.
            I passed the exam, I could dance with joy.
            What a lovely {event}, I enjoyed every minute.
            My daughter took her first steps {when}.
            I feel great, the sun is shining at last.
            We laughed so much with {name} {when}.
            Thank you, this is a beautiful present.
            I got the job in {city}, I am thrilled!
            The {pet} greeted me with so much love.
            I am proud of you, you did wonderfully.
            We had a fantastic holiday in {city}.
            It is so good to be home with my family.
            I can not stop smiling since {when}.
            My grandmother is healthy again, I am so glad.
            The children sang for me, it was adorable.
            I am excited, we are moving to {city}!
            This {food} is delicious, you made my day.
            Life is good, and I am grateful for it.
            Hooray, we are going to the {event} together!
            It was a perfect evening with all my friends.
            """,
        "valid": """
            I am delighted, {name} is coming home for good.
            What a joy to hear you laugh again.
            We are having a baby, I am over the moon!
            That was great fun, let us do it again.
            I adore this place, it makes me smile.
            """,
        "test": """
            I am on cloud nine, they loved my {event}.
            Fantastic news, {name} is completely cured!
            I had a wonderful time with you in {city}.
            Yes! Our team is the champion, let us celebrate!
            Your letter made me so happy {when}.
            I feel blessed to have such good friends.
            The {pet} plays all day, it is pure joy.
            I am cheerful today, everything turned out well.
            """,
    },
    "sadness": {
        "train": """
            I miss {name} so much since the funeral.
            My {pet} died {when}, and I can not stop crying.
            I feel so lonely in this empty house.
            She left me, and nothing matters any more.
            I cried all night over the letter.
            We lost everything in the flood, it is heartbreaking.
            My best friend moved away to {city} for ever.
            I failed again, I feel worthless.
            Nobody came to my {event}, I was so sad.
            It hurts to see my father so weak.
            I have no hope left, I am tired of life.
            They closed the old {place} where we grew up.
            I wish I could hold her hand one last time.
            {name} does not love me any more.
            I am heartbroken, we are getting divorced.
            I sit in the {place} and cry alone.
            It is my fault he is gone, I regret it.
            Everything reminds me of my late mother.
            I feel down, I did not leave my bed {when}.
            The hospital called, {who} did not survive.
            I lost my job, and I feel so miserable.
            We had to say goodbye to our {pet}.
            My heart is heavy, I have lost a dear friend.
            I am sorry, I am just very sad today.
            """,
        "valid": """
            I feel empty since {name} passed away.
            Our {pet} is dying, and I am in tears.
            I am so unhappy, nobody ever calls me.
            It breaks my heart to leave this house.
            I have been depressed since the {event}.
            """,
        "test": """
            I buried my grandfather {when}, I miss him terribly.
            All my dreams are gone, I just want to weep.
            I am alone again, and it hurts.
            {name} never said goodbye, that makes me so sad.
            I mourn for the life we used to have.
            We lost the baby, I can not bear the grief.
            I feel hopeless and sad in {city}.
            Tears came when I found her old {thing}.
            """,
    },
    "surprise": {
        "train": """
            Wow, I did not expect to see you here!
            What? {name} is already in {city}?
            I can not believe it, the {thing} is still here!
            Suddenly {who} stood in front of me, amazing.
            Oh my goodness, where did you come from?
            You did what? I am speechless.
            I was astonished to find a {pet} in the {place}.
            Really? Nobody told me about the {event}!
            Out of nowhere the lights came on.
            I never would have guessed it was {name}.
            No way, the two of them are married?
            Unbelievable, the {thing} costs only a dollar!
            That is the last thing I expected {when}.
            I was stunned when the door opened by itself.
            Huh, since when can you play the guitar?
            Look at that, snow in the middle of July!
            To my surprise {who} spoke perfect Chinese.
            Wait, you knew about this all along?
            What a twist, I did not see that coming.
            I am amazed, how did you do that trick?
            You are kidding, {name} is your father?
            All of a sudden there was an elephant in the street.
            Good heavens, look how much it has grown!
            I had no idea that {name} was a twin.
            """,
        "valid": """
            Wow, you changed the whole {place} overnight?
            I am astounded, it came true after all.
            What on earth is a {pet} doing here?
            Seriously? That was you in the picture?
            It caught me completely off guard {when}.
            """,
        "test": """
            Oh! I thought you were still in {city}!
            Incredible, {who} just won the lottery!
            Who would have thought it, {name} is a spy?
            I was startled, the {pet} can open doors!
            Hold on, is that really your {thing}?
            My jaw dropped when I heard the number.
            Gosh, how did that get into the {place}?
            That was so unexpected, I am baffled.
            """,
    },
    "neutral": {
        "train": """
            I put the {thing} on the table in the {place}.
            The train to {city} leaves at nine.
            I usually have {food} for lunch.
            {name} works on the second floor.
            We meet in the {place} every Tuesday.
            I will send you the document {when}.
            The meeting takes about half an hour.
            I bought some {food} on my way home.
            The {place} is open until six.
            I have an appointment at the bank tomorrow.
            {who} parked the car behind the {place}.
            Turn left after the bridge, then go straight.
            I wrote down the address and the number.
            The {thing} is next to the window.
            It takes two hours to drive to {city}.
            We have used the same printer since March.
            I read the report and made a few notes.
            The form has to be signed on both pages.
            {name} lives across the street from the {place}.
            I need to change the battery of the {thing}.
            The bus stops in front of the {place}.
            I am going to water the plants now.
            They moved the table closer to the wall.
            The {event} starts at half past seven.
            """,
        "valid": """
            I left the keys on the shelf in the {place}.
            {name} will bring the papers at noon.
            The shop sells bread, {food} and newspapers.
            We took the second road towards {city}.
            My {thing} is the grey one over there.
            """,
        "test": """
            There are four chairs in the {place}.
            I answered the mail from {city} {when}.
            The box with the {thing} weighs two kilos.
            {name} has the same schedule as before.
            I fill in this list once a month.
            The next page describes how to cook {food}.
            You can pick up the parcel at the {place}.
            We changed the date of the {event} to Friday.
            """,
    },
}
